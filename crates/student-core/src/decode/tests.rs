//! The decoder on a model whose every text can be listed.

use tch::{Device, Kind, Tensor};

use super::*;

/// Next-token logits that depend on the source's first token and on the whole text so far, by a
/// hash. What it caches is the texts, so that a wrong reordering shows.
struct Hashed {
    vocabulary: usize,
    can_retain: bool,
}

struct Texts {
    beams: usize,
    rows: Vec<Vec<i64>>,
}

impl Hashed {
    fn logits(&self, source: i64, text: &[i64]) -> Vec<f32> {
        (0..self.vocabulary)
            .map(|token| {
                let parts: Vec<u64> =
                    text.iter().chain([&source, &(token as i64)]).map(|&x| x as u64).collect();
                (crate::random::Random::new(&parts).next() >> 40) as f32 / (1 << 22) as f32
            })
            .collect()
    }
}

impl Decodable for Hashed {
    type Memory = Vec<i64>;
    type Cache = Texts;

    fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    fn start_token(&self) -> i64 {
        0
    }

    fn encode(&self, source: &Tensor, _mask: &Tensor) -> Result<Vec<i64>> {
        scores::ids(&source.f_select(1, 0)?)
    }

    fn cache(&self, memory: &Vec<i64>, beams: usize) -> Result<Texts> {
        Ok(Texts { beams, rows: vec![Vec::new(); memory.len() * beams] })
    }

    fn step(&self, memory: &Vec<i64>, cache: &mut Texts, tokens: &Tensor) -> Result<Tensor> {
        let mut flat = Vec::new();
        for (row, token) in scores::ids(tokens)?.into_iter().enumerate() {
            cache.rows[row].push(token);
            flat.extend(self.logits(memory[row / cache.beams], &cache.rows[row]));
        }
        Ok(Tensor::f_from_slice(&flat)?.f_view([-1, self.vocabulary as i64])?)
    }

    fn reorder(&self, cache: &mut Texts, rows: &Tensor) -> Result<()> {
        let rows = scores::ids(rows)?;
        cache.rows = rows.iter().map(|&row| cache.rows[row as usize].clone()).collect();
        Ok(())
    }

    fn retain(&self, memory: &mut Vec<i64>, cache: &mut Texts, sources: &Tensor) -> Result<bool> {
        if self.can_retain {
            let sources = scores::ids(sources)?;
            *memory = sources.iter().map(|&at| memory[at as usize]).collect();
            cache.rows = sources
                .iter()
                .flat_map(|&at| &cache.rows[at as usize * cache.beams..][..cache.beams])
                .cloned()
                .collect();
        }
        Ok(self.can_retain)
    }
}

fn batch(sources: &[i64]) -> (Tensor, Tensor) {
    let source = Tensor::from_slice(sources).view([-1, 1]);
    let mask = source.ones_like();
    (source, mask)
}

fn run(model: &Hashed, sources: &[i64], options: &DecodeOptions) -> Vec<Vec<Hypothesis>> {
    let (source, mask) = batch(sources);
    decode(model, &source, &mask, options).unwrap()
}

fn options() -> DecodeOptions {
    DecodeOptions { end_tokens: vec![1], max_new: 4, ..DecodeOptions::default() }
}

/// Log-probability of every text of at most `most` tokens that ends, or is cut there.
fn all_texts(model: &Hashed, source: i64, most: usize) -> Vec<(Vec<i64>, f64)> {
    let mut finished = Vec::new();
    let mut open = vec![(vec![0], 0.0)];
    while let Some((text, total)) = open.pop() {
        let logits = model.logits(source, &text);
        let sum: f64 = logits.iter().map(|&x| f64::from(x).exp()).sum();
        for (token, &logit) in logits.iter().enumerate() {
            let mut longer = text.clone();
            longer.push(token as i64);
            let total = total + f64::from(logit) - sum.ln();
            if token == 1 || longer.len() > most {
                finished.push((longer[1..].to_vec(), total));
            } else {
                open.push((longer, total));
            }
        }
    }
    finished
}

#[test]
fn as_many_beams_as_texts_find_the_best_of_all() {
    let model = Hashed { vocabulary: 4, can_retain: true };
    for penalty in [0.0, 1.0, 2.0] {
        let options = DecodeOptions {
            beams: 120,
            n_best: 10,
            length_penalty: penalty,
            early_stopping: EarlyStopping::Never,
            ..options()
        };
        for (source, found) in [3, 8, 11].into_iter().zip(run(&model, &[3, 8, 11], &options)) {
            let mut wanted: Vec<(Vec<i64>, f64)> = all_texts(&model, source, 4)
                .into_iter()
                .map(|(text, total)| (text.clone(), total / (text.len() as f64).powf(penalty)))
                .collect();
            wanted.sort_by(|a, b| b.1.total_cmp(&a.1));
            for (found, wanted) in found.iter().zip(&wanted) {
                assert_eq!(found.tokens, wanted.0);
                assert!((found.score - wanted.1).abs() < 1e-5);
            }
            assert_eq!(found.len(), 10);
        }
    }
}

#[test]
fn greedy_takes_the_likeliest_and_adds_up_its_log_probability() {
    let model = Hashed { vocabulary: 6, can_retain: true };
    let found = &run(&model, &[5], &options())[0][0];
    let mut text = vec![0];
    let mut total = 0.0;
    for &token in &found.tokens {
        let logits = model.logits(5, &text);
        let best = (0..6).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap();
        assert_eq!(token, best as i64);
        let sum: f64 = logits.iter().map(|&x| f64::from(x).exp()).sum();
        total += f64::from(logits[best]) - sum.ln();
        text.push(token);
    }
    assert!((found.log_probability - total).abs() < 1e-5);
    assert!((found.score - total / found.tokens.len() as f64).abs() < 1e-5);
}

#[test]
fn a_source_gets_the_same_alone_and_in_a_batch() {
    let sources: Vec<i64> = (0..23).collect();
    let cases = [
        options(),
        DecodeOptions { beams: 3, n_best: 3, max_new: 12, ..options() },
        DecodeOptions {
            beams: 2,
            max_new: 12,
            early_stopping: EarlyStopping::Always,
            repetition_penalty: 1.3,
            no_repeat_ngram: 2,
            min_new: 3,
            ..options()
        },
    ];
    for options in &cases {
        for can_retain in [true, false] {
            let model = Hashed { vocabulary: 7, can_retain };
            let together = run(&model, &sources, options);
            for &source in &sources {
                assert_eq!(run(&model, &[source], options)[0], together[source as usize]);
            }
        }
    }
}

#[test]
fn lengths_and_repetitions_keep_their_limits() {
    let model = Hashed { vocabulary: 5, can_retain: true };
    for beams in [1, 3] {
        let base = DecodeOptions { beams, n_best: beams, max_new: 9, ..options() };
        let long = DecodeOptions { min_new: 6, ..base.clone() };
        let varied = DecodeOptions { no_repeat_ngram: 2, ..base };
        for source in 0..20 {
            for found in &run(&model, &[source], &long)[0] {
                assert!((7..=9).contains(&found.tokens.len()), "{found:?}");
                assert!(!found.tokens[..6].contains(&1));
            }
            for found in &run(&model, &[source], &varied)[0] {
                let mut text = vec![0];
                text.extend(&found.tokens);
                let pairs: Vec<&[i64]> = text.windows(2).collect();
                let mut unique = pairs.clone();
                unique.sort_unstable();
                unique.dedup();
                assert_eq!(unique.len(), pairs.len(), "{text:?}");
            }
        }
    }
}

#[test]
fn early_stopping_always_stops_with_as_many_as_beams() {
    // The first token ends with some probability; with two tokens both texts of length 1 and 2 end.
    let model = Hashed { vocabulary: 3, can_retain: true };
    let always = DecodeOptions {
        beams: 2,
        n_best: 2,
        max_new: 30,
        early_stopping: EarlyStopping::Always,
        ..options()
    };
    let never = DecodeOptions { early_stopping: EarlyStopping::Never, ..always.clone() };
    for source in 0..10 {
        let (fast, full) = (run(&model, &[source], &always), run(&model, &[source], &never));
        assert_eq!(fast[0].len(), 2);
        assert!(full[0][0].score >= fast[0][0].score);
    }
}

#[test]
fn sampling_is_seeded_and_follows_the_distribution() {
    let model = Hashed { vocabulary: 5, can_retain: true };
    let sample = |sampling: Sampling, n_best: usize, max_new: usize| {
        run(&model, &[4], &DecodeOptions { sampling: Some(sampling), n_best, max_new, ..options() })
            .remove(0)
    };
    let seeded = |seed| sample(Sampling { seed, ..Sampling::default() }, 20, 5);
    assert_eq!(seeded(1), seeded(1));
    assert_ne!(seeded(1), seeded(2));

    let logits: Vec<f64> = model.logits(4, &[0]).into_iter().map(f64::from).collect();
    let shares = |sampling: Sampling| -> Vec<f64> {
        let mut counts = [0.0; 5];
        for found in sample(sampling, 1000, 1) {
            counts[found.tokens[0] as usize] += 1.0 / 1000.0;
        }
        counts.to_vec()
    };
    let softmax = |temperature: f64, keep: &dyn Fn(usize) -> bool| -> Vec<f64> {
        let weights: Vec<f64> = logits
            .iter()
            .enumerate()
            .map(|(token, x)| if keep(token) { (x / temperature).exp() } else { 0.0 })
            .collect();
        let sum: f64 = weights.iter().sum();
        weights.into_iter().map(|weight| weight / sum).collect()
    };
    let mut ranked: Vec<usize> = (0..5).collect();
    ranked.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]));
    let plain = softmax(0.5, &|_| true);
    // The nucleus of 0.6: the likeliest tokens until their sum reaches it.
    let mut nucleus = Vec::new();
    let mut sum = 0.0;
    for &token in &ranked {
        if sum < 0.6 {
            nucleus.push(token);
            sum += softmax(1.0, &|_| true)[token];
        }
    }
    let cases = [
        (Sampling { temperature: 0.5, ..Sampling::default() }, plain),
        (
            Sampling { top_k: 2, ..Sampling::default() },
            softmax(1.0, &|token| ranked[..2].contains(&token)),
        ),
        (
            Sampling { top_p: 0.6, ..Sampling::default() },
            softmax(1.0, &|token| nucleus.contains(&token)),
        ),
    ];
    for (sampling, wanted) in cases {
        for (found, wanted) in shares(sampling).into_iter().zip(wanted) {
            // Five standard deviations of a thousand draws are at most 0.08.
            assert!((found - wanted).abs() < 0.08, "{sampling:?}: {found} {wanted}");
            assert_eq!(found == 0.0, wanted == 0.0, "{sampling:?}");
        }
    }
}

#[test]
fn options_out_of_range_are_named() {
    let good = options();
    let cases: [(&str, DecodeOptions); 9] = [
        ("beams", DecodeOptions { beams: 0, ..good.clone() }),
        ("n_best", DecodeOptions { beams: 2, n_best: 3, ..good.clone() }),
        ("max_new", DecodeOptions { max_new: 0, ..good.clone() }),
        ("min_new", DecodeOptions { min_new: 5, ..good.clone() }),
        ("length_penalty", DecodeOptions { length_penalty: f64::NAN, ..good.clone() }),
        ("repetition_penalty", DecodeOptions { repetition_penalty: 0.0, ..good.clone() }),
        ("end_tokens", DecodeOptions { end_tokens: vec![9], ..good.clone() }),
        (
            "temperature",
            DecodeOptions {
                sampling: Some(Sampling { temperature: 0.0, ..Sampling::default() }),
                ..good.clone()
            },
        ),
        (
            "top_p",
            DecodeOptions {
                sampling: Some(Sampling { top_p: 1.5, ..Sampling::default() }),
                ..good
            },
        ),
    ];
    for (name, options) in cases {
        let error = options.validate(9).unwrap_err().to_string();
        assert!(error.starts_with(name), "{name}: {error}");
    }
    let model = Hashed { vocabulary: 4, can_retain: true };
    let empty = Tensor::zeros([2, 0], (Kind::Int64, Device::Cpu));
    assert!(decode(&model, &empty, &empty, &options()).is_err());
    let none = Tensor::zeros([0, 3], (Kind::Int64, Device::Cpu));
    assert!(decode(&model, &none, &none, &options()).unwrap().is_empty());
}

#[test]
fn more_beams_than_tokens_and_damaged_models_are_met() {
    let model = Hashed { vocabulary: 2, can_retain: true };
    let options = DecodeOptions { beams: 8, n_best: 8, max_new: 3, ..options() };
    // Texts over {0, 1} that end with 1, or are cut at three: 1, 01, 001, 000.
    let found = &run(&model, &[1], &options)[0];
    let mut texts: Vec<&[i64]> = found.iter().map(|found| found.tokens.as_slice()).collect();
    texts.sort_unstable();
    assert_eq!(texts, [&[0, 0, 0][..], &[0, 0, 1], &[0, 1], &[1]]);

    struct Damaged;
    impl Decodable for Damaged {
        type Memory = i64;
        type Cache = i64;
        fn vocabulary(&self) -> usize {
            3
        }
        fn start_token(&self) -> i64 {
            0
        }
        fn encode(&self, source: &Tensor, _mask: &Tensor) -> Result<i64> {
            Ok(source.size()[0])
        }
        fn cache(&self, memory: &i64, beams: usize) -> Result<i64> {
            Ok(memory * beams as i64)
        }
        fn step(&self, _memory: &i64, cache: &mut i64, _tokens: &Tensor) -> Result<Tensor> {
            Ok(Tensor::f_full([*cache, 3].as_slice(), f64::NAN, (Kind::Float, Device::Cpu))?)
        }
        fn reorder(&self, _cache: &mut i64, _rows: &Tensor) -> Result<()> {
            Ok(())
        }
    }
    let (source, mask) = batch(&[1]);
    for beams in [1, 2] {
        let options = DecodeOptions { beams, ..DecodeOptions::default() };
        let error = decode(&Damaged, &source, &mask, &options).unwrap_err().to_string();
        assert!(error.contains("NaN"), "{error}");
    }
}

//! Any two texts, in any language and variant: no panic, scores from 0 to 1, counts that add up, and
//! an explanation that agrees with them.
#![no_main]

use code_syntax::Language;
use codebleu::{Fix, Fixes, Scorer, Variant};
use libfuzzer_sys::{Corpus, fuzz_target};

fuzz_target!(|data: &[u8]| -> Corpus {
    let [language, variant, fixes, text @ ..] = data else { return Corpus::Reject };
    let Ok(text) = std::str::from_utf8(text) else { return Corpus::Reject };
    let languages: Vec<Language> =
        Language::ALL.into_iter().filter(|language| language.has_grammar()).collect();
    let language = languages[usize::from(*language) % languages.len()];
    let variant = Variant::ALL[usize::from(*variant) % Variant::ALL.len()];
    // Three texts: two references and a hypothesis.
    let mut texts = text.splitn(3, '\u{1}');
    let reference = texts.next().unwrap_or("");
    let hypothesis = texts.next().unwrap_or(reference);
    let references: Vec<&str> = std::iter::once(reference).chain(texts.next()).collect();
    let fixes: Fixes = Fix::ALL
        .into_iter()
        .enumerate()
        .filter(|&(bit, fix)| fixes >> (bit % 8) & 1 == 1 && variant.takes(fix))
        .map(|(_, fix)| fix)
        .collect();
    let scorer = Scorer::new(language, variant).unwrap().with_fixes(fixes).unwrap();
    let explained = match scorer.explain(&references, hypothesis) {
        Ok(explained) => explained,
        // The only error that such short texts can bring about.
        Err(error) => panic!("{error}"),
    };
    let scores = explained.score.scores;
    for part in [
        scores.codebleu,
        scores.ngram_match_score,
        scores.weighted_ngram_match_score,
        scores.syntax_match_score,
        scores.dataflow_match_score.unwrap_or(0.0),
    ] {
        assert!((0.0..=1.0 + 1e-9).contains(&part), "{scores:?}");
    }
    let counts = explained.score.counts;
    let mut twice = counts;
    twice.merge(&counts).unwrap();
    assert_eq!(twice.pairs, 2);
    assert_eq!(twice.scores(scorer.weights()).syntax_match_score, scores.syntax_match_score);
    if let [difference] = &explained.references[..] {
        match counts.syntax.distance {
            Some(distance) => {
                let edits = &difference.edits;
                let kept = edits.iter().filter(|e| matches!(e, codebleu::NodeEdit::Keep { .. }));
                assert_eq!((edits.len() - kept.count()) as u64, distance);
            }
            None => assert_eq!(
                (difference.unmatched_subtrees.len() + difference.extra_subtrees.len()) as u64,
                counts.syntax.total - counts.syntax.matched,
            ),
        }
    }
    Corpus::Keep
});

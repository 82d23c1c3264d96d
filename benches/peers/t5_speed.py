"""Times T5 beside transformers on the same weights, 32-bit floats, turn by turn.

usage: t5_speed.py EXAMPLES FOLDER [--train MODEL:BATCHxLENGTH,...] [--ragged MODEL:LENGTHS.json]
                   [--generate MODEL:BATCHxBEAMS,...] [--alone] [--rounds 1] [--repeat 1] [--threads 2]
                   [--orders dynamic,grouped]
       t5_speed.py lengths LESSONS.jsonl VOCAB.json MERGES.txt COUNT > LENGTHS.json

EXAMPLES holds the programs t5_train_step and t5_generate (target/release/examples). In FOLDER models of
random weights are made: tiny, codet5-small, codet5-base.

"lengths" makes such a file from the lessons of a run and CodeT5's tokenizer: of COUNT lessons, drawn at random,
in turn pseudocode from the problem, code from it, and code from it and the pseudocode, each side cut at 512.
stdlib-lengths.json beside this script was made so from the functions of Python 3.11's standard library.

Training (--train): BATCH rows of LENGTH source and LENGTH target tokens, dropout 0.1, AdamW. Real lengths
(--ragged): an epoch over examples of the lengths in a JSON array of [source, target], 16 a step; transformers
once with batches in random order padded to their longest (dynamic padding), once with its length-grouped
sampler. Tokens are those of the examples, padding not counted. Generation (--generate): 64 tokens of
sources of 64, one thread. Each round starts each side in a process of its own, loading not counted. --alone
leaves transformers out.

Every call first measures what this machine's libtorch reaches: GFLOP/s of a product of 2048^3 and GB/s of a
sum over a large array. The floor is what the multiplications need at that rate, or, for generation, reading
the weights once a token at that bandwidth, whichever is more.

What is measured is added to FOLDER/measured.jsonl, so that calls add up; the tables are made of the whole
file, medians over all. Delete it to start anew. Needs torch 2.11.0 and transformers 5.23.0. Prints Markdown.
"""

import argparse
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

SHAPES = {
    "tiny": dict(d_model=256, d_ff=1024, num_layers=4, num_heads=4, vocab_size=8192),
    "codet5-small": dict(d_model=512, d_ff=2048, num_layers=6, num_heads=8, vocab_size=32100),
    "codet5-base": dict(d_model=768, d_ff=3072, num_layers=12, num_heads=12, vocab_size=32100),
}
TOKENS = 64


def model_folder(folder, name):
    path = folder / "models" / name
    if not (path / "model.safetensors").exists():
        import torch
        from transformers import T5Config, T5ForConditionalGeneration

        torch.manual_seed(0)
        ids = dict(pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=0)
        config = T5Config(d_kv=64, feed_forward_proj="relu", dropout_rate=0.1, **ids, **SHAPES[name])
        T5ForConditionalGeneration(config).save_pretrained(path)
    return path


# What runs in a process of its own, on the side of transformers.


def peer_model(path, threads):
    import torch
    from transformers import T5ForConditionalGeneration

    torch.set_num_threads(threads)
    return T5ForConditionalGeneration.from_pretrained(path)


def peer_batches(lengths, order):
    """Padded batches of 16 in one of transformers' two orders: (source, target) lengths."""
    import torch
    from transformers.trainer_pt_utils import get_length_grouped_indices

    if order == "grouped":
        # By the length of the inputs, as its trainer does.
        generator = torch.Generator().manual_seed(0)
        places = get_length_grouped_indices([source for source, _ in lengths], 16, generator=generator)
    else:
        places = list(range(len(lengths)))
        random.Random(0).shuffle(places)
    return [[lengths[place] for place in places[at : at + 16]] for at in range(0, len(places), 16)]


def peer_train(path, threads, batches):
    import torch

    model = peer_model(path, threads).train()
    vocabulary = model.config.vocab_size
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    seconds = []
    for batch in batches:
        rows, longest = len(batch), [max(pair[side] for pair in batch) for side in (0, 1)]
        source, labels = (torch.randint(5, vocabulary, (rows, length)) for length in longest)
        mask = torch.zeros_like(source)
        for row, (inputs, outputs) in enumerate(batch):
            mask[row, :inputs] = 1
            labels[row, outputs:] = -100
        start = time.perf_counter()
        model(input_ids=source, attention_mask=mask, labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds[1:], "peak_mb": peak}))


def peer_generate(path, ids, beams, repeat):
    import torch

    model = peer_model(path, 1).eval()
    ids = torch.tensor(json.loads(Path(ids).read_text()))

    def run(count):
        with torch.inference_mode():
            start = time.perf_counter()
            found = model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=count,
                min_new_tokens=count,
                num_beams=beams,
                do_sample=False,
                length_penalty=1.0,
                early_stopping=False,
            )
            return found[:, 1:].tolist(), time.perf_counter() - start

    run(2)
    runs = [run(TOKENS) for _ in range(repeat)]
    print(json.dumps({"sequences": runs[0][0], "seconds": [seconds for _, seconds in runs]}))


def rates(threads):
    """GFLOP/s of a large product and GB/s of reading."""
    import torch

    torch.set_num_threads(threads)
    a, b = torch.randn(2048, 2048), torch.randn(2048, 2048)
    large = torch.randn(1 << 25)

    def best(work):
        times = []
        for _ in range(6):
            start = time.perf_counter()
            work()
            times.append(time.perf_counter() - start)
        return min(times)

    result = {
        "gflops": 2 * 2048**3 / best(lambda: a @ b) / 1e9,
        "gbs": large.numel() * 4 / best(large.sum) / 1e9,
    }
    print(json.dumps(result))


def lengths(lessons, vocab, merges, count):
    from tokenizers import ByteLevelBPETokenizer

    tokenizer = ByteLevelBPETokenizer(vocab, merges)
    lessons = [json.loads(line) for line in Path(lessons).read_text().splitlines()]
    pairs = []
    for place, lesson in enumerate(random.Random(0).sample(lessons, count)):
        plan = "\n".join(f"{at}. {step}" for at, step in enumerate(lesson["pseudocode"], 1))
        source = f"Python: {lesson['query']}" + (f"\n{plan}" if place % 3 == 2 else "")
        target = lesson["code"] if place % 3 else plan
        # Start, end and, in sources, the task's token.
        ends = [(source, 3), (target, 2)]
        pairs.append([min(512, len(tokenizer.encode(text).ids) + more) for text, more in ends])
    print(json.dumps(pairs))


# The side that measures; it starts the others and holds no tensors itself.


def child(arguments):
    text = subprocess.run([str(a) for a in arguments], check=True, capture_output=True, text=True).stdout
    return json.loads(text.strip().splitlines()[-1])


def own_child(*arguments):
    return child([sys.executable, __file__, "child", *arguments])


def matrices(name):
    """Weights that every source token, and every target token, is multiplied with; of the head."""
    shape = SHAPES[name]
    width, inner = shape["d_model"], 64 * shape["num_heads"]
    attention, feed = 4 * width * inner, 2 * width * shape["d_ff"]
    layers = shape["num_layers"]
    head = width * shape["vocab_size"]
    return layers * (attention + feed), layers * (2 * attention + feed), head


def train_floor(name, batch, length, gflops):
    encoder, decoder, head = matrices(name)
    inner, layers = 64 * SHAPES[name]["num_heads"], SHAPES[name]["num_layers"]
    # Forward and twice that backward: weights, then the three attentions of a pair of layers.
    work = 3 * 2 * batch * length * (encoder + decoder + head)
    work += 3 * 3 * layers * 4 * batch * length * length * inner
    return work / gflops / 1e9


def generate_floor(name, batch, beams, gflops, gbs):
    encoder, decoder, head = matrices(name)
    # Keys and values of the source are no part of a step.
    keys = SHAPES[name]["num_layers"] * 2 * SHAPES[name]["d_model"] * 64 * SHAPES[name]["num_heads"]
    step = decoder + head - keys
    floor = 2 * batch * 64 * (encoder + keys) / gflops / 1e9
    return floor + TOKENS * max(4 * step / gbs / 1e9, 2 * batch * beams * step / gflops / 1e9)


class Measured:
    """The file of what was measured, one JSON object a line."""

    def __init__(self, path):
        self.path = path

    def add(self, **line):
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")

    def groups(self, what):
        """The lines of each cell, in the order in which cells were first measured."""
        groups = {}
        for line in map(json.loads, self.path.read_text().splitlines()):
            if line["what"] == what:
                groups.setdefault((line["model"], *line["cell"]), []).append(line)
        return groups.items()


def median(lines, *names):
    values = []
    for line in lines:
        for name in names:
            line = line.get(name) if line else None
        values += line if isinstance(line, list) else [] if line is None else [line]
    return statistics.median(values) if values else None


def show(value, digits=2):
    return "" if value is None else f"{value:.{digits}f}"


def ratio(a, b):
    return None if a is None or b is None else a / b


def train(options, measured, cell):
    name, size = cell.split(":")
    batch, length = map(int, size.split("x"))
    path = model_folder(options.folder, name)
    for _ in range(options.rounds):
        speed = own_child("rates", options.threads)
        here = [options.examples / "t5_train_step", path, "--threads", options.threads]
        here += ["--steps", options.repeat + 1, "--batch", batch, "--source", length, "--target", length]
        ours, theirs = child(here), None
        if not options.alone:
            rows = json.dumps([[[length, length]] * batch] * (options.repeat + 1))
            theirs = own_child("train", path, options.threads, rows)
        measured.add(what="train", model=name, cell=[batch, length], ours=ours, theirs=theirs, **speed)


def ragged(options, measured, cell):
    name, file = cell.split(":", 1)
    path = model_folder(options.folder, name)
    lengths = json.loads(Path(file).read_text())
    tokens = sum(map(sum, lengths))
    for _ in range(options.rounds):
        here = [options.examples / "t5_train_step", path, "--threads", options.threads, "--lengths", file]
        rates_of = {"ours": child(here)["tokens_per_second"]}
        for order in options.orders.split(","):
            if not options.alone:
                found = own_child("ragged", path, options.threads, file, order)
                rates_of[order] = tokens / sum(found["seconds"])
        measured.add(what="ragged", model=name, cell=[len(lengths), tokens], **rates_of)


def generate(options, measured, cell):
    name, size = cell.split(":")
    batch, beams = map(int, size.split("x"))
    path = model_folder(options.folder, name)
    ids = options.folder / f"ids-{batch}.json"
    draw = random.Random(1)
    ids.write_text(json.dumps([[draw.randrange(5, 8000) for _ in range(64)] for _ in range(batch)]))
    for _ in range(options.rounds):
        speed = own_child("rates", 1)
        here = [options.examples / "t5_generate", path, "--ids", ids, "--beams", beams, "--threads", 1]
        here += ["--max-new", TOKENS, "--min-new", TOKENS, "--repeat", options.repeat]
        ours, theirs, same = child(here), None, None
        if not options.alone:
            theirs = own_child("generate", path, ids, beams, options.repeat)
            same = sum(a == b[0] for a, b in zip(theirs.pop("sequences"), ours["sequences"]))
        ours = {"seconds": ours["seconds"]}
        line = dict(what="generate", model=name, cell=[batch, beams], same=same, ours=ours, theirs=theirs)
        measured.add(**line, **speed)


def tables(measured):
    if groups := measured.groups("train"):
        print(
            "\n| model | batch | length | tokens/s | transformers | times | MiB | transformers | times | GFLOP/s "
            "| floor, s | step, s | reached |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|"
        )
        for (name, batch, length), lines in groups:
            own, other = median(lines, "ours", "seconds"), median(lines, "theirs", "seconds")
            peaks = median(lines, "ours", "peak_mb"), median(lines, "theirs", "peak_mb")
            gflops = median(lines, "gflops")
            tokens, floor = 2 * batch * length, train_floor(name, batch, length, gflops)
            cells = [name, batch, length, show(tokens / own, 0), show(ratio(tokens, other), 0)]
            cells += [show(ratio(other, own)), show(peaks[0], 0), show(peaks[1], 0), show(ratio(*peaks))]
            cells += [show(gflops, 0), show(floor), show(own), f"{100 * floor / own:.0f} %"]
            print("|", " | ".join(map(str, cells)), "|")
    if groups := measured.groups("ragged"):
        print(
            "\n| model | examples | tokens | tokens/s | dynamic padding | times | length-grouped | times |\n"
            "|---|---|---|---|---|---|---|---|"
        )
        for (name, examples, tokens), lines in groups:
            own, dynamic, grouped = (median(lines, side) for side in ("ours", "dynamic", "grouped"))
            cells = [name, examples, tokens, show(own, 0), show(dynamic, 0), show(ratio(own, dynamic))]
            cells += [show(grouped, 0), show(ratio(own, grouped))]
            print("|", " | ".join(map(str, cells)), "|")
    if groups := measured.groups("generate"):
        print(
            "\n| model | batch | beams | s | transformers, s | times | same | GFLOP/s | GB/s | floor, s | reached |"
            "\n|---|---|---|---|---|---|---|---|---|---|---|"
        )
        for (name, batch, beams), lines in groups:
            own, other = median(lines, "ours", "seconds"), median(lines, "theirs", "seconds")
            gflops, gbs = median(lines, "gflops"), median(lines, "gbs")
            floor = generate_floor(name, batch, beams, gflops, gbs)
            same = [line["same"] for line in lines if line["same"] is not None]
            cells = [name, batch, beams, show(own), show(other), show(ratio(other, own))]
            cells += [f"{min(same)}/{batch}" if same else "", show(gflops, 0), show(gbs, 1), show(floor)]
            print("|", " | ".join(map(str, [*cells, f"{100 * floor / own:.0f} %"])), "|")


def main():
    os.environ["TRANSFORMERS_VERBOSITY"] = "error"
    if sys.argv[1:2] == ["lengths"]:
        return lengths(*sys.argv[2:5], int(sys.argv[5]))
    if sys.argv[1:2] == ["child"]:
        what, *rest = sys.argv[2:]
        if what == "rates":
            rates(int(rest[0]))
        elif what == "train":
            peer_train(rest[0], int(rest[1]), json.loads(rest[2]))
        elif what == "ragged":
            batches = peer_batches(json.loads(Path(rest[2]).read_text()), rest[3])
            # The first is run twice, and not counted once.
            peer_train(rest[0], int(rest[1]), [batches[0], *batches])
        else:
            peer_generate(rest[0], rest[1], int(rest[2]), int(rest[3]))
        return
    parser = argparse.ArgumentParser()
    parser.add_argument("examples", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--train", default="")
    parser.add_argument("--ragged", default="")
    parser.add_argument("--generate", default="")
    parser.add_argument("--alone", action="store_true")
    parser.add_argument("--orders", default="dynamic,grouped", help="of transformers' batches in --ragged")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    measured = Measured(options.folder / "measured.jsonl")
    measured.path.touch()
    for work, cells in [(train, options.train), (ragged, options.ragged), (generate, options.generate)]:
        for cell in filter(None, cells.split(",")):
            work(options, measured, cell)
    tables(measured)


main()

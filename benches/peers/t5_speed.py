"""Times T5 beside transformers on the same weights, 32-bit floats, turn by turn.

usage: t5_speed.py EXAMPLES FOLDER [--train MODEL,...] [--generate MODEL:BATCHxBEAMS,...] [--rounds 3]

EXAMPLES holds the programs t5_train_step and t5_generate (target/release/examples). In FOLDER models of
random weights are made: tiny, codet5-small, codet5-base. Training: 16 rows of 128 + 128 tokens, dropout 0.1,
AdamW, two threads, seconds of wall time a step. Generation: 64 tokens of sources of 64, one thread,
seconds of processor time. Both say the median of each side, and the ratio. The floor is what this
machine's libtorch needs for the same multiplications at the rate of its largest products, and for reading the
weights once a token at the rate of a sum over a large array; both rates are measured in the same run.

Needs torch 2.11.0 and transformers 5.23.0. Prints Markdown.
"""

import argparse
import json
import os
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


def peer_train(path, steps, threads):
    """Seconds a step of transformers; run in a process of its own."""
    import torch
    from transformers import T5ForConditionalGeneration

    torch.set_num_threads(threads)
    model = T5ForConditionalGeneration.from_pretrained(path).train()
    shape = (16, 128)
    source, labels = (torch.randint(5, model.config.vocab_size, shape) for _ in range(2))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    seconds = []
    for _ in range(steps):
        start = time.perf_counter()
        model(input_ids=source, attention_mask=torch.ones_like(source), labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds[1:], "peak_mb": peak}))


def child(arguments):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    text = subprocess.run(arguments, check=True, capture_output=True, text=True).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return json.loads(text.strip().splitlines()[-1]), cpu


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

    return 2 * 2048**3 / best(lambda: a @ b) / 1e9, large.numel() * 4 / best(large.sum) / 1e9


def matrices(name):
    """Weights that every source token, and every target token, is multiplied with; of the head."""
    shape = SHAPES[name]
    width, inner = shape["d_model"], 64 * shape["num_heads"]
    attention, feed = 4 * width * inner, 2 * width * shape["d_ff"]
    layers = shape["num_layers"]
    head = width * shape["vocab_size"]
    return layers * (attention + feed), layers * (2 * attention + feed), head


def train(options, name):
    path = model_folder(options.folder, name)
    flops, _ = rates(2)
    encoder, decoder, head = matrices(name)
    inner = 64 * SHAPES[name]["num_heads"]
    # Forward and twice that backward: weights, then the three attentions of a pair of layers.
    work = 3 * 2 * 16 * 128 * (encoder + decoder + head)
    work += 3 * 3 * SHAPES[name]["num_layers"] * 4 * 16 * 128 * 128 * inner
    ours, theirs, peaks = [], [], [0.0, 0.0]
    for _ in range(options.rounds):
        here = [str(options.examples / "t5_train_step"), str(path), "--threads", "2", "--steps", "4"]
        result, _ = child(here)
        ours += result["seconds"]
        peaks[0] = max(peaks[0], result["peak_mb"])
        result, _ = child([sys.executable, __file__, "peer-train", str(path), "4", "2"])
        theirs += result["seconds"]
        peaks[1] = max(peaks[1], result["peak_mb"])
    own, other = statistics.median(ours), statistics.median(theirs)
    print(
        f"| {name} | {4096 / own:.0f} | {4096 / other:.0f} | {other / own:.2f} | {peaks[0]:.0f} | "
        f"{peaks[1]:.0f} | {flops:.0f} | {work / flops / 1e9:.2f} | {own:.2f} |",
        flush=True,
    )


def generate(options, cell):
    import torch
    from transformers import T5ForConditionalGeneration

    name, size = cell.split(":")
    batch, beams = map(int, size.split("x"))
    path = model_folder(options.folder, name)
    torch.set_num_threads(1)
    flops, bandwidth = rates(1)
    model = T5ForConditionalGeneration.from_pretrained(path).eval()
    torch.manual_seed(1)
    ids = torch.randint(5, 8000, (batch, 64))
    file = options.folder / "ids.json"
    file.write_text(json.dumps(ids.tolist()))

    def peer(count):
        with torch.inference_mode():
            start = time.process_time()
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
            return found, time.process_time() - start

    here = [str(options.examples / "t5_generate"), str(path), "--ids", str(file), "--beams", str(beams)]
    here += ["--max-new", "64", "--min-new", "64", "--threads", "1", "--repeat"]
    peer(4)
    ours, theirs = [], []
    for _ in range(options.rounds):
        found, seconds = peer(64)
        theirs.append(seconds)
        # Without the time to load: the difference of two runs and one.
        (result, two), (_, one) = child(here + ["2"]), child(here + ["1"])
        ours.append(two - one)
    same = sum(a == b[0] for a, b in zip(found[:, 1:].tolist(), result["sequences"]))
    own, other = statistics.median(ours), statistics.median(theirs)
    encoder, decoder, head = matrices(name)
    # Keys and values of the source are no part of a step.
    keys = SHAPES[name]["num_layers"] * 2 * SHAPES[name]["d_model"] * 64 * SHAPES[name]["num_heads"]
    step = decoder + head - keys
    floor = 2 * batch * 64 * (encoder + keys) / flops / 1e9
    floor += 64 * max(4 * step / bandwidth / 1e9, 2 * batch * beams * step / flops / 1e9)
    print(
        f"| {name} | {batch} | {beams} | {own:.2f} | {other:.2f} | {other / own:.2f} | {same}/{batch} | "
        f"{flops:.0f} | {bandwidth:.1f} | {floor:.2f} | {100 * floor / own:.0f} % |",
        flush=True,
    )


def main():
    if sys.argv[1:2] == ["peer-train"]:
        return peer_train(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    parser = argparse.ArgumentParser()
    parser.add_argument("examples", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--train", default="")
    parser.add_argument("--generate", default="")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    os.environ["TRANSFORMERS_VERBOSITY"] = "error"
    if options.train:
        print("| model | tokens/s | transformers | times | MiB | transformers | GFLOP/s | floor, s | step, s |")
        print("|---|---|---|---|---|---|---|---|---|")
        for name in options.train.split(","):
            train(options, name)
    if options.generate:
        print(
            "| model | batch | beams | s | transformers, s | times | same | GFLOP/s | GB/s | floor, s | "
            "reached |"
        )
        print("|---|---|---|---|---|---|---|---|---|---|---|")
        for cell in options.generate.split(","):
            generate(options, cell)


main()

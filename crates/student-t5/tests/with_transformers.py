"""with_transformers.py CONVERT GENERATE: model folders in both directions, with the real library.

CONVERT and GENERATE are the built examples `convert` (of student-t5) and `t5_generate` (of examples). transformers 5.23.0, torch 2.11.0.
Makes T5 models of several shapes, stored in every form, lets CONVERT read and write them, and loads the result: no key may be missing
or unexpected, and logits must be the same bit for bit. GENERATE must give the sequences of `generate`, with scores within 1e-4.
Exits with 1 where anything differs.
"""
import json, os, subprocess, sys, tempfile
import torch
from transformers import T5Config, T5ForConditionalGeneration

CONVERT, GENERATE = sys.argv[1:3]
torch.set_num_threads(1)
BASE = dict(d_model=48, d_ff=96, d_kv=16, num_heads=4, vocab_size=300, pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=0)
SHAPES = {
    "v1.0 tied": dict(num_layers=3, num_decoder_layers=2, feed_forward_proj="relu", tie_word_embeddings=True),
    "v1.1 untied": dict(num_layers=2, num_decoder_layers=2, feed_forward_proj="gated-gelu", tie_word_embeddings=False),
    "gated relu": dict(num_layers=1, num_decoder_layers=1, feed_forward_proj="gated-relu", tie_word_embeddings=True),
    "silu": dict(num_layers=1, num_decoder_layers=1, feed_forward_proj="silu", tie_word_embeddings=True),
}
failures = 0


def check(good, what):
    global failures
    failures += not good
    print("ok  " if good else "FAIL", what, flush=True)


def load(folder):
    model, info = T5ForConditionalGeneration.from_pretrained(folder, output_loading_info=True)
    wrong = {key: sorted(value) for key, value in info.items() if value}
    return model.eval(), wrong


def logits(model):
    generator = torch.Generator().manual_seed(5)
    x = torch.randint(3, model.config.vocab_size, (3, 17), generator=generator)
    y = torch.randint(3, model.config.vocab_size, (3, 9), generator=generator)
    mask = torch.ones_like(x)
    mask[1, 11:] = 0
    with torch.no_grad():
        return model(input_ids=x, attention_mask=mask, decoder_input_ids=y).logits


def generate(folder, model, what):
    ids = [[7, 9, 200, 31, 2], [5, 6, 2], [11] * 12 + [2]]
    path = os.path.join(folder, "ids.json")
    json.dump(ids, open(path, "w"))
    width = max(map(len, ids))
    x = torch.tensor([row + [0] * (width - len(row)) for row in ids])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in ids])
    for beams in (1, 4):
        ours = json.loads(subprocess.run([GENERATE, folder, "--ids", path, "--beams", str(beams), "--n-best", str(beams), "--max-new", "20", "--min-new", "3"],
                                         check=True, capture_output=True, text=True).stdout)
        out = model.generate(input_ids=x, attention_mask=mask, num_beams=beams, num_return_sequences=beams, max_new_tokens=20, min_new_tokens=3, do_sample=False,
                             length_penalty=1.0, early_stopping=False, return_dict_in_generate=True, output_scores=True, output_logits=True)
        for place, row in enumerate(out.sequences.tolist()):
            row = row[1:]
            row = row[:row.index(2) + 1] if 2 in row else row
            source, rank = divmod(place, beams)
            found, score = ours["sequences"][source], ours["scores"][source]
            if beams == 1:
                total = sum(out.logits[step].log_softmax(-1)[place, token].item() for step, token in enumerate(row))
                wanted = total / len(row)
            else:
                wanted = out.sequences_scores[place].item()
            near = [other for other in range(beams) if abs(score[other] - wanted) <= 1e-4]
            check(row in [found[other] for other in near], f"{what}: {beams} beams, source {source}, rank {rank}")


with tempfile.TemporaryDirectory() as home:
    for number, (name, shape) in enumerate(SHAPES.items()):
        torch.manual_seed(number)
        model = T5ForConditionalGeneration(T5Config(**BASE, **shape)).eval()
        if not shape["tie_word_embeddings"]:
            model.lm_head.weight = torch.nn.Parameter(torch.randn_like(model.shared.weight) * 0.3)
        for form in ("safetensors", "shards", "bin", "old bin"):
            where = os.path.join(home, f"{number}-{form}")
            if form == "shards":
                model.save_pretrained(where, max_shard_size="60KB")
            else:
                model.save_pretrained(where)
            if "bin" in form:
                os.remove(os.path.join(where, "model.safetensors"))
                torch.save(model.state_dict(), os.path.join(where, "pytorch_model.bin"), _use_new_zipfile_serialization=form == "bin")
            written = where + "-written"
            subprocess.run([CONVERT, where, written], check=True, stdout=subprocess.DEVNULL)
            again, wrong = load(written)
            check(not wrong, f"{name}, {form}: keys {wrong}")
            check(torch.equal(logits(model), logits(again)), f"{name}, {form}: the same logits after reading and writing")
        generate(written, again, name)
    fresh = os.path.join(home, "fresh")
    subprocess.run([CONVERT, "--new", "nano", fresh], check=True, stdout=subprocess.DEVNULL)
    model, wrong = load(fresh)
    check(not wrong, f"a new model of ours: keys {wrong}")
    check(bool(logits(model).isfinite().all()), "a new model of ours: finite logits")
    generate(fresh, model, "a new model of ours")
print(f"{failures} failures")
sys.exit(failures > 0)

"""Writes the seeds of the fuzz targets into corpus/, from the records of the crates' tests."""

import gzip
import json
from pathlib import Path

HERE = Path(__file__).parent
TESTS = HERE.parent / "crates/codebleu/tests"
REPLIES = HERE.parent / "crates/teacher-prompt/tests/replies"
LOG = HERE.parent / "examples/data/stdlib-qwen/replies.jsonl.gz"
# The order of the languages that the targets are built with.
LANGUAGES = ["python", "java", "go", "javascript", "php", "ruby"]


def write(target, seeds):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds):
        (folder / f"seed-{number:04}").write_bytes(seed)


def scores(pairs):
    for pair in pairs:
        if pair["lang"] not in LANGUAGES:
            continue
        references = pair.get("references") or [pair["reference"]]
        texts = "\x01".join([references[0], pair["hypothesis"], *references[1:]])
        for variant in range(4):
            yield bytes([LANGUAGES.index(pair["lang"]), variant, 0]) + texts.encode()


def texts(pairs):
    """The number of the language and a text."""
    for pair in pairs:
        if pair["lang"] in LANGUAGES:
            for text in [*pair.get("references", []), pair.get("reference"), pair["hypothesis"]]:
                if text:
                    yield bytes([LANGUAGES.index(pair["lang"])]) + text.encode()


def trees(lines):
    """Depth by brackets, as two bits that say how far up a node hangs, and its label."""
    for a, b in zip(lines[::2], lines[1::2]):
        nodes = []
        for tree in (a, b):
            depth, last = -1, -1
            for character in tree:
                if character == "{":
                    depth += 1
                    up = min(max(last + 1 - depth, 0), 3)
                    nodes.append(up | (len(nodes) % 7) << 2)
                    last = depth
                elif character == "}":
                    depth -= 1
        if len(nodes) <= 400:
            yield bytes([127, *nodes])


pairs = [json.loads(line) for line in open(TESTS / "golden/pairs.jsonl", encoding="utf-8")]
write("codebleu_score", scores(pairs))
write("parse_flat", texts(pairs))
near = (TESTS / "ted/50.near.trees").read_text().splitlines()
far = (TESTS / "ted/50.far.trees").read_text().splitlines()
write("codebleu_ted", trees(near + far))
lines = [json.dumps(pair).encode() for pair in pairs]
write("codebleu_input", lines + [b"\n".join(lines[:5]), near[0].encode(), far[0].encode()])

labelled = [json.loads(line) for line in open(REPLIES / "labelled.jsonl", encoding="utf-8")]
texts = [record["text"] for record in labelled] + [path.read_text() for path in REPLIES.glob("*.txt")]
write("teacher_reply", (bytes([at % 256]) + text.encode() for at, text in enumerate(texts)))
logged = gzip.open(LOG, "rb").read().splitlines(keepends=True)[:40]
write("teacher_log", [*logged, b"".join(logged[:3]), logged[0] + logged[1].rstrip()])
bodies = [json.loads(line)["raw"] for line in logged]
errors = [{"error": {"message": "quota"}}, {"error": "busy", "code": 503}, {"choices": []}, {"choices": [{"text": "x"}]}]
write("teacher_body", [body.encode() for body in bodies] + [json.dumps(error).encode() for error in errors])
results = [
    {"custom_id": "a-0", "response": {"status_code": 200, "body": json.loads(bodies[0])}, "error": None},
    {"custom_id": "a-1", "response": {"status_code": 500, "body": errors[0]}, "error": None},
    {"custom_id": "a-2", "response": None, "error": {"code": "batch_expired", "message": "expired"}},
]
lines = [json.dumps(result).encode() for result in results]
write("teacher_batch", [*lines, b"\n".join(lines) + b"\n"])

STUDENT = HERE.parent / "crates/student-t5/tests/fixtures"
bins = [path.read_bytes() for path in sorted((STUDENT / "bin").glob("*.bin"))]
safe = (STUDENT / "bin/model.safetensors").read_bytes()
header = json.loads(safe[8 : 8 + int.from_bytes(safe[:8], "little")])
indices = []
for shard in ("a.safetensors", "a.bin"):
    weights = {name: shard for name in header if name != "__metadata__"}
    indices.append(json.dumps({"metadata": {}, "weight_map": weights}).encode())
seeds = [bytes([0]) + safe, *(bytes([1]) + file for file in bins)]
write("student_weights", [*seeds, bytes([2]) + indices[0], bytes([3]) + indices[1]])
configs = [path.read_bytes() for path in sorted(STUDENT.glob("*/config.json"))]
decoding = [path.read_bytes() for path in sorted(STUDENT.glob("*/generation_config.json"))]
settings = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 512, "task_trigger": "token"}
seeds = [bytes([0]) + file for file in configs] + [bytes([1]) + file for file in decoding]
write("student_config", [*seeds, bytes([2]) + json.dumps(settings).encode()])
special = ["<pad>", "<s>", "</s>", "<unk>", "<mask>"]
vocabulary = {token: place for place, token in enumerate([*special, "a", "b", "c", "ab", "abc"])}
flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
pieces = {"id": "A", "type_id": 0}, {"id": "</s>", "type_id": 0}
ends = [{"Sequence": pieces[0]}, {"SpecialToken": pieces[1]}]
tokenizer = {
    "version": "1.0",
    "truncation": None,
    "padding": None,
    "added_tokens": [{"id": place, "content": token, **flags} for place, token in enumerate(special)],
    "normalizer": {"type": "NFC"},
    "pre_tokenizer": byte_level,
    "post_processor": {
        "type": "TemplateProcessing",
        "single": ends,
        "pair": [*ends, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"</s>": {"id": "</s>", "ids": [2], "tokens": ["</s>"]}},
    },
    "decoder": byte_level,
    "model": {
        "type": "BPE",
        "dropout": None,
        "unk_token": "<unk>",
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "vocab": vocabulary,
        "merges": [["a", "b"], ["ab", "c"]],
    },
}
others = [
    {"type": "WordLevel", "vocab": vocabulary, "unk_token": "<unk>"},
    {"type": "WordPiece", "vocab": vocabulary, "unk_token": "<unk>", "continuing_subword_prefix": "##",
     "max_input_chars_per_word": 100},
    {"type": "Unigram", "vocab": [[token, -0.5 * id] for token, id in vocabulary.items()], "unk_id": 3},
    {**tokenizer["model"], "merges": ["a b", "ab c"]},
]
files = [tokenizer, *({**tokenizer, "model": model} for model in others)]
seeds = [bytes([0]) + json.dumps(file).encode() for file in files]
pair = json.dumps(vocabulary).encode() + b"\x01#version: 0.2\na b\nab c\n"
write("student_tokenizer", [*seeds, bytes([1]) + pair])

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

"""Prints the rows of the test `smoothing_is_as_in_nltk` in src/bleu.rs: nltk 3.10.4's methods 2 to 7."""

from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

REFERENCES = [
    "It is a guide to action that ensures that the military will forever heed Party commands",
    "It is the guiding principle which guarantees the military forces always being under "
    "the command of the Party",
]
HYPOTHESES = [
    "It is a guide to action which ensures that the military always obeys the commands of the party",
    "It is to insure the troops forever hearing the activity guidebook that party direct",
    "the guide is a action",
    "It is",
    "Party",
]
NAMES = [
    "LinOch",
    "Nist",
    "Length { k: 5.0 }",
    "Average",
    "Interpolate { alpha: 5.0 }",
    "LengthAverage { k: 5.0 }",
]


def score(method, hypothesis):
    references = [reference.split() for reference in REFERENCES]
    try:
        value = sentence_bleu(references, hypothesis.split(), smoothing_function=method)
    except AssertionError:
        return "None"
    return f"Some({value!r})"


smoothing = SmoothingFunction()
for name, number in zip(NAMES, range(2, 8)):
    row = [score(getattr(smoothing, f"method{number}"), hypothesis) for hypothesis in HYPOTHESES]
    print(f"(Smoothing::{name}, [{', '.join(row)}]),")

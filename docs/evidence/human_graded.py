"""Makes ratings.csv and pairs.jsonl of the Hearthstone answers that Evtikhiev et al. had graded.

    python human_graded.py hs-human-grades.json FOLDER

The grades (66 cards, 2 systems, 4 graders, 0 to 4) belong to "Out of the BLEU: how should we assess
quality of the Code Generation models?" (Journal of Systems and Software, 2023), Apache-2.0.
"""
import csv
import json
import pathlib
import sys

source, folder = sys.argv[1], pathlib.Path(sys.argv[2])
folder.mkdir(parents=True, exist_ok=True)
with open(folder / "ratings.csv", "w", newline="") as ratings, open(folder / "pairs.jsonl", "w") as pairs:
    rows = csv.writer(ratings)
    rows.writerow(["item", "system", "rater", "criterion", "score"])
    for item, card in enumerate(json.load(open(source))):
        for system in ("gcnn", "nl2code"):
            for grader, grade in card[f"grade-{system}"].items():
                rows.writerow([item, system, grader, "grade", grade])
            pair = {"id": {"item": str(item), "system": system}, "lang": "python",
                    "reference": card["snippet"], "hypothesis": card[system]}
            pairs.write(json.dumps(pair) + "\n")

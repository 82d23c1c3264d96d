"""Writes statistics.json with scipy's and krippendorff's results: python make.py > statistics.json

Made with scipy 1.17.1, krippendorff 0.9.0 and numpy 2.4.6 from PyPI."""
import json

import krippendorff
import numpy as np
from scipy import stats

random = np.random.default_rng(20250817)
golden = {"wilson": [], "poisson": [], "wilcoxon": [], "correlation": [], "alpha": [], "bootstrap": []}

for hits, trials in [(0, 20), (7, 50), (19, 20), (20, 20), (1234, 4000)]:
    ci = stats.binomtest(hits, trials).proportion_ci(method="wilson")
    golden["wilson"].append([hits, trials, ci.low, ci.high])
for count in [0, 1, 10, 137, 2000]:
    low = stats.chi2.ppf(0.025, 2 * count) / 2 if count else 0.0
    golden["poisson"].append([count, low, stats.chi2.ppf(0.975, 2 * count + 2) / 2])

# Without ties scipy counts out; with ties its permutation of signs does; above 25 its approximation.
for n in [6, 12, 25]:
    d = np.round(random.normal(0.4, 1, n), 4)
    golden["wilcoxon"].append([d.tolist(), stats.wilcoxon(d, mode="exact").pvalue])
for n in [5, 9, 12]:
    d = random.integers(-3, 5, n).astype(float)
    d = d[d != 0]
    test = stats.wilcoxon(d, method=stats.PermutationMethod(n_resamples=np.inf))
    golden["wilcoxon"].append([d.tolist(), test.pvalue])
for n in [40, 200]:
    d = random.integers(-3, 5, n).astype(float)
    golden["wilcoxon"].append([d.tolist(), stats.wilcoxon(d, correction=False, mode="approx").pvalue])

for n, values in [(5, 3), (20, 5), (60, 1000)]:
    x, y = random.integers(0, values, n).astype(float), random.integers(0, values, n).astype(float)
    golden["correlation"].append(
        [x.tolist(), y.tolist(), stats.kendalltau(x, y).statistic, stats.spearmanr(x, y).statistic]
    )

for units, raters, missing in [(12, 4, 0.2), (40, 3, 0.4), (8, 2, 0.0)]:
    truth = random.integers(1, 6, units)
    table = np.clip(truth + random.integers(-1, 2, (raters, units)), 1, 5).astype(float)
    table[random.random(table.shape) < missing] = np.nan
    alphas = [
        krippendorff.alpha(table, level_of_measurement=level)
        for level in ("nominal", "ordinal", "interval")
    ]
    cells = [[None if np.isnan(v) else v for v in table[:, u]] for u in range(units)]
    golden["alpha"].append([cells, alphas])

# A paired difference of means: the two programs draw differently, so the ends agree up to noise.
a, b = random.normal(0.55, 0.2, 80), random.normal(0.5, 0.2, 80)
boot = stats.bootstrap(
    (a - b,), np.mean, n_resamples=200_000, method="percentile", rng=np.random.default_rng(1)
).confidence_interval
test = stats.permutation_test(
    (a, b), lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=200_000,
    rng=np.random.default_rng(1),
)
golden["bootstrap"].append([a.tolist(), b.tolist(), boot.low, boot.high, test.pvalue])
print(json.dumps(golden))

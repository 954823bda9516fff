"""Numbers of test/analyze/correlate.test.ts, with SciPy: python test/analyze/make_correlations.py > test/analyze/correlations.json

Points: fifteen targets, a metric, and a distance that falls with it, with two equal values in each (ties). The interval is the
percentile bootstrap of 400,000 resamples by NumPy's own generator.
"""
import json

import numpy as np
import scipy
from scipy import stats

rng = np.random.default_rng(7)
x = np.round(rng.uniform(0.05, 0.6, 15), 4)
x[3] = x[9]
y = np.round(60 - 55 * x + rng.normal(0, 6, 15), 3)
y[1] = y[12]

draws = rng.integers(0, 15, (400_000, 15))
xs, ys = x[draws], y[draws]


def rows_pearson(a, b):
    a = a - a.mean(1, keepdims=True)
    b = b - b.mean(1, keepdims=True)
    return (a * b).sum(1) / np.sqrt((a * a).sum(1) * (b * b).sum(1))


pearson = stats.pearsonr(x, y)
spearman = stats.spearmanr(x, y)
line = stats.linregress(x, y)
percentiles = [2.5, 97.5]
ranked = rows_pearson(stats.rankdata(xs, axis=1), stats.rankdata(ys, axis=1))
print(
    json.dumps(
        {
            "versions": f"numpy {np.__version__}, scipy {scipy.__version__}",
            "x": x.tolist(),
            "y": y.tolist(),
            "pearson": {
                "coefficient": pearson.statistic,
                "p": pearson.pvalue,
                "interval": np.percentile(rows_pearson(xs, ys), percentiles).tolist(),
            },
            "spearman": {
                "coefficient": spearman.statistic,
                "p": spearman.pvalue,
                "interval": np.percentile(ranked, percentiles).tolist(),
            },
            "slope": line.slope,
            "intercept": line.intercept,
        },
        indent=1,
    )
)

"""Reference numbers of linear probing and CKNNA: python test/probe/probe-numbers.py > test/probe/probe-numbers.json

Logistic regression: scikit-learn 1.9.1. CKNNA: its two variants written down with dense matrices, numpy.
"""

import json
import sys

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

rng = np.random.default_rng(20261126)

# 4 unequal classes in 7 channels of unlike scale, one of them constant; the last third is for validation.
labels = np.repeat([0, 1, 2, 3], [40, 25, 31, 24])
labels = rng.permutation(labels)
centres = rng.normal(size=(4, 7)) * 0.8
features = (centres[labels] + rng.normal(size=(120, 7))) * [1, 30, 0.02, 5, 1, 200, 1] + [0, 100, 3, -7, 0, 0, 0]
features[:, 4] = 0.3
features = np.round(features, 4).astype(np.float32)
train, validation = np.arange(80), np.arange(80, 120)
scaler = StandardScaler().fit(features[train].astype(np.float64))
x = scaler.transform(features.astype(np.float64))
fits = []
for decay in [1, 0.1, 0.01, 0.001]:
    model = LogisticRegression(C=1 / (decay * len(train)), tol=1e-10, max_iter=10000).fit(x[train], labels[train])
    bias = model.intercept_ - model.intercept_.mean()
    probability = model.predict_proba(x[train])[np.arange(len(train)), labels[train]]
    fits.append({
        "weightDecay": decay,
        "weight": model.coef_.T.ravel().tolist(),
        "bias": bias.tolist(),
        "loss": float(-np.log(probability).mean() + decay / 2 * (model.coef_**2).sum()),
        "trainAccuracy": model.score(x[train], labels[train]),
        "accuracy": model.score(x[validation], labels[validation]),
    })


def kernels(f):
    f = f.astype(np.float64)
    f = f / np.linalg.norm(f, axis=1, keepdims=True)
    return f @ f.T


def neighbours(kernel, k):
    order = np.argsort(-(kernel - 10 * np.eye(len(kernel))), axis=1, kind="stable")[:, :k]
    mask = np.zeros_like(kernel)
    np.put_along_axis(mask, order, 1, axis=1)
    return mask


def unbiased_hsic(k, l):
    m = len(k)
    k, l, one = k - np.diag(np.diag(k)), l - np.diag(np.diag(l)), np.ones(m)
    value = np.trace(k @ l) + (one @ k @ one) * (one @ l @ one) / ((m - 1) * (m - 2)) - 2 / (m - 2) * (one @ k @ l @ one)
    return value / (m * (m - 3))


def cknna(a, b, k):
    ka, kb = kernels(a), kernels(b)
    ma, mb = neighbours(ka, k), neighbours(kb, k)
    code = lambda x, y, m: unbiased_hsic(m * x, m * y)
    paper = lambda x, y, m: (m * (x - x.mean(1, keepdims=True)) * (y - y.mean(1, keepdims=True))).sum()
    of = lambda f: (f(ka, kb, ma * mb), f(ka, ka, ma), f(kb, kb, mb))
    ab, aa, bb = of(code)
    pab, paa, pbb = of(paper)
    return {"code": ab / (np.sqrt(aa * bb) + 1e-6), "paper": pab / np.sqrt(paa * pbb)}


# A second representation of 60 images that shares half of the first's directions, and one that shares nothing.
a = np.round(rng.normal(size=(60, 5)), 4).astype(np.float32)
b = np.round(np.concatenate([a[:, :2] * 1.5, rng.normal(size=(60, 2))], 1), 4).astype(np.float32)
c = np.round(rng.normal(size=(60, 3)), 4).astype(np.float32)
scores = [{"k": k, "related": cknna(a, b, k), "unrelated": cknna(a, c, k)} for k in [3, 10, 25]]

flat = lambda f: [float(v) for v in np.round(f.astype(np.float64), 4).ravel()]
json.dump({
    "probe": {"features": flat(features), "labels": labels.tolist(), "train": 80, "fits": fits},
    "cknna": {"images": 60, "a": flat(a), "b": flat(b), "c": flat(c), "scores": scores},
}, sys.stdout)
print()

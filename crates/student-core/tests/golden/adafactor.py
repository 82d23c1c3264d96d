"""adafactor.py OUT: parameters after each of six steps of transformers' Adafactor (5.23.0; torch 2.11.0, CPU).

The gradient at step s of a parameter p with values w is 10^(index-1) * sin(w * (index+1) + 0.3 s), which any program can compute.
"""
import json, sys
import torch
from transformers.optimization import Adafactor

torch.set_num_threads(1)
start = [torch.linspace(-1, 1, 24).reshape(4, 6), torch.linspace(-0.5, 2, 7), torch.linspace(-3, 3, 30).reshape(2, 3, 5), torch.zeros(3, 2)]
cases = {}
for name, options in {
    "scaled": dict(scale_parameter=True, weight_decay=0.0),
    "plain": dict(scale_parameter=False, weight_decay=0.01),
}.items():
    parameters = [torch.nn.Parameter(t.clone()) for t in start]
    optimizer = Adafactor(parameters, lr=1e-2, relative_step=False, warmup_init=False, **options)
    steps = []
    for step in range(6):
        for index, p in enumerate(parameters):
            p.grad = 10.0 ** (index - 1) * torch.sin(p.detach() * (index + 1) + 0.3 * step)
        optimizer.step()
        steps.append([p.detach().reshape(-1).tolist() for p in parameters])
    cases[name] = steps
json.dump({"start": [t.reshape(-1).tolist() for t in start], "shapes": [list(t.shape) for t in start], "cases": cases}, open(sys.argv[1], "w"))

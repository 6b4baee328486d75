"""Every layout of PyTorch that any version can write: zip, legacy, TorchScript,
state dictionaries, whole modules, packages, distributed and exported models.

    python make_torch.py DIRECTORY

Runs under Debian's PyTorch 1.13 as under the newest; what only the newer has is
made where it is there.
"""

import collections
import pickle
import sys
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.package import PackageExporter

OUT = Path(sys.argv[1])
NEW = int(torch.__version__.split(".")[0]) >= 2
KINDS = [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.uint8, torch.int8, torch.int16, torch.int32,
         torch.int64, torch.bool, torch.complex64, torch.complex128]


class Small(nn.Module):
    """A network as a script defines it."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.1), nn.Linear(8, 2))

    def forward(self, values):
        if values.sum() > 0:
            return self.layers(values)
        return -self.layers(values)


def library():
    """Modules that need no code but PyTorch's."""
    return {
        "sequential": nn.Sequential(collections.OrderedDict([("one", nn.Linear(4, 2)), ("act", nn.GELU())])),
        "images": nn.Sequential(nn.Conv2d(3, 2, 3), nn.BatchNorm2d(2), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1),
                                nn.Flatten(), nn.Upsample(scale_factor=2), nn.PReLU()),
        "recurrent": nn.ModuleDict({"lstm": nn.LSTM(4, 3, bidirectional=True), "gru": nn.GRU(4, 3), "cell": nn.LSTMCell(4, 3)}),
        "attention": nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8, batch_first=True), 1),
        "whole-transformer": nn.Transformer(4, 2, 1, 1, 8),
        "embedding": nn.ModuleList([nn.Embedding(5, 3), nn.EmbeddingBag(5, 3, mode="sum"), nn.LayerNorm(3), nn.GroupNorm(1, 3)]),
        "loss": nn.CrossEntropyLoss(weight=torch.ones(2)),
        "weight-norm": nn.utils.weight_norm(nn.Linear(3, 3)),
        "parameters": nn.ParameterList([nn.Parameter(torch.ones(2))]),
        "quantisable": torch.ao.quantization.QuantWrapper(nn.Linear(3, 3)),
    }


def tensors():
    by_kind = {str(kind): torch.ones(3, 2).to(kind) for kind in KINDS}
    shared = torch.arange(6.0)
    return {
        **by_kind, "view": shared[2:4], "shared": shared, "transposed": shared.reshape(2, 3).T, "scalar": torch.tensor(1.5),
        "empty": torch.zeros(0, 3), "wants-grad": torch.ones(2, requires_grad=True), "parameter": nn.Parameter(torch.ones(2)),
        "sparse": torch.eye(3).to_sparse(), "csr": torch.eye(3).to_sparse_csr(),
        "quantised": torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8), "conjugate": torch.ones(2, dtype=torch.complex64).conj(),
        "quantised-channels": torch.quantize_per_channel(torch.ones(2, 3), torch.ones(2), torch.zeros(2), 0, torch.quint8),
        "size": torch.Size([1, 2]), "device": torch.device("cpu"), "kind": torch.float32, "meta": torch.empty(2, device="meta"),
        "layout": torch.strided, "numpy": np.float64(1), "array": np.arange(3),
        "generator": torch.get_rng_state(), "storage": torch.ones(2).storage(), "path": Path("a/b"),
    }


def both(name, value, **how):
    torch.save(value, OUT / f"{name}.pt", **how)
    torch.save(value, OUT / f"{name}-legacy.pt", _use_new_zipfile_serialization=False, **how)


def saved():
    both("tensors", tensors())
    for protocol in (2, 3, 4, 5):
        both(f"protocol-{protocol}", {"a": torch.ones(2)}, pickle_protocol=protocol)
    (OUT / "tensors.pkl").write_bytes(pickle.dumps({"a": torch.ones(2), "b": nn.Linear(2, 2).state_dict()}))
    for name, module in library().items():
        both(f"{name}-state", module.state_dict())
        both(f"{name}-module", module)
        (OUT / f"{name}.pkl").write_bytes(pickle.dumps(module))
    both("parametrised-state", nn.utils.parametrizations.orthogonal(nn.Linear(3, 3)).state_dict())
    module = nn.Linear(2, 2)
    for name in ["SGD", "Adam", "AdamW", "Adagrad", "Adadelta", "Adamax", "ASGD", "NAdam", "RAdam", "RMSprop", "Rprop", "LBFGS"]:
        optimiser = getattr(torch.optim, name)(module.parameters(), lr=0.1)

        def closure():
            optimiser.zero_grad()
            loss = module(torch.ones(1, 2)).sum()
            loss.backward()
            return loss

        optimiser.step(closure)
        both(f"optimiser-{name}-state", optimiser.state_dict())
        both(f"optimiser-{name}", optimiser)
    optimiser = torch.optim.SGD(module.parameters(), lr=0.1)
    schedules = [torch.optim.lr_scheduler.StepLR(optimiser, 1), torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 3),
                 torch.optim.lr_scheduler.ReduceLROnPlateau(optimiser), torch.optim.lr_scheduler.ExponentialLR(optimiser, 0.9),
                 torch.optim.lr_scheduler.OneCycleLR(optimiser, 0.1, 10)]
    for schedule in schedules:
        both(f"schedule-{type(schedule).__name__}", schedule.state_dict())
    both("checkpoint", {"epoch": 3, "model": module.state_dict(), "optimizer": optimiser.state_dict(), "scaler": {}, "loss": 0.1,
                        "args": {"lr": 0.1, "path": "runs"}, "rng": torch.get_rng_state(), "scheduler": schedules[0].state_dict()})
    both("dataset", torch.utils.data.TensorDataset(torch.ones(2, 2), torch.zeros(2)))
    both("distribution", torch.distributions.Normal(torch.zeros(2), torch.ones(2)))
    torch.save(Small(), OUT / "own-module.pt")


def scripted():
    traced = torch.jit.trace(nn.Sequential(nn.Linear(4, 2), nn.Tanh()), torch.ones(1, 4))
    made = torch.jit.script(Small())
    for name, module in {"traced": traced, "scripted": made, "frozen": torch.jit.freeze(made.eval())}.items():
        module.save(str(OUT / f"{name}.pt"))
    torch.jit.save(made, str(OUT / "extra.pt"), _extra_files={"config.json": b"{}", "labels.txt": b"a\nb"})
    both("script-in-checkpoint", {"note": "toy", "weights": made.state_dict()})
    made._save_for_lite_interpreter(str(OUT / "lite.ptl"))
    small = torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(4, 2)), {nn.Linear}, dtype=torch.qint8)
    both("quantised-dynamic", small.state_dict())
    torch.jit.script(small).save(str(OUT / "quantised-dynamic-scripted.pt"))


def packaged():
    with PackageExporter(OUT / "package.pt") as exporter:
        exporter.extern(["torch.**", "numpy.**"])
        exporter.save_pickle("model", "model.pkl", nn.Linear(2, 2))
        exporter.save_text("notes", "note.txt", "toy")
        exporter.save_binary("notes", "raw.bin", b"\0" * 8)
    with PackageExporter(OUT / "package-code.pt") as exporter:
        exporter.extern(["torch.**"])
        exporter.save_source_string("toy.model", "import torch\n\nclass Model(torch.nn.Linear):\n    pass\n")


def distributed():
    """Debian builds PyTorch without this part."""
    from torch.distributed import checkpoint
    from torch.distributed.checkpoint.format_utils import dcp_to_torch_save

    module = nn.Linear(3, 3)
    state = {"model": module.state_dict(), "optimizer": torch.optim.Adam(module.parameters()).state_dict(),
             "step": torch.tensor(3), "note": "toy", "range": range(3)}
    checkpoint.save(state, checkpoint_id=OUT / "distributed", no_dist=True)
    dcp_to_torch_save(OUT / "distributed", OUT / "distributed-joined.pt")


def exported():
    values = (torch.ones(1, 4),)
    model = nn.Sequential(nn.Linear(4, 2), nn.ReLU()).eval()
    torch.onnx.export(model, values, str(OUT / "exported.onnx"), **({"dynamo": False} if NEW else {}))
    if not NEW:
        return
    distributed()
    torch.export.save(torch.export.export(model, values), OUT / "exported.pt2")
    torch.export.save(torch.export.export(Conditional(), (torch.ones(4),)), OUT / "conditional.pt2", extra_files={"note.txt": "toy"})
    torch.save(model, OUT / "weights-only.pt")
    torch.onnx.export(model, values, str(OUT / "exported-dynamo.onnx"), dynamo=True, external_data=True)
    from safetensors.torch import save_model

    save_model(model, str(OUT / "model.safetensors"))


class Conditional(nn.Module):
    """What only torch.export writes: a graph with a branch."""

    def forward(self, values):
        return torch.cond(values.sum() > 0, lambda value: value + 1, lambda value: value - 1, (values,))


OUT.mkdir(parents=True)
warnings.simplefilter("ignore")
torch.manual_seed(0)
saved()
scripted()
packaged()
exported()

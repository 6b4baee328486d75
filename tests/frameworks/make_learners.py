"""Whole learners built on PyTorch: Ultralytics, fastai, diffusers, TabNet, PyTorch
Geometric.

    python make_learners.py DIRECTORY

Nothing is fetched: every network begins with random weights.
"""

import os
import pickle
import sys
import warnings
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["YOLO_OFFLINE"] = "true"

import diffusers
import numpy as np
import pandas as pd
import torch
import torch_geometric
import torchvision
import transformers
import ultralytics
from fastai.tabular.all import Categorify, CategoryBlock, FillMissing, Normalize, TabularDataLoaders, accuracy, tabular_learner
from pytorch_tabnet.tab_model import TabNetClassifier

OUT = Path(sys.argv[1])
X = np.random.RandomState(0).normal(size=(64, 4)).astype("f4")
LABELS = (X[:, 0] > 0).astype(int)


def with_ultralytics():
    for name in ["yolov8n", "yolov8n-seg", "yolov8n-cls", "yolo11n", "yolov8n-pose"]:
        ultralytics.YOLO(f"{name}.yaml", verbose=False).save(OUT / f"{name}.pt")


def with_fastai():
    frame = pd.DataFrame(X, columns=list("abcd")).assign(kind=["x", "y", "z", "x"] * 16, label=LABELS)
    loaders = TabularDataLoaders.from_df(frame, procs=[Categorify, FillMissing, Normalize], cat_names=["kind"], cont_names=list("abcd"),
                                         y_names="label", y_block=CategoryBlock(), bs=16)
    learner = tabular_learner(loaders, metrics=accuracy, layers=[8], path=OUT)
    with learner.no_bar(), learner.no_logging():
        learner.fit(1)
    learner.export("fastai.pkl")
    learner.save("fastai")


def with_diffusers():
    sizes = {"sample_size": 8, "block_out_channels": (8,), "norm_num_groups": 4, "layers_per_block": 1}
    network = diffusers.UNet2DModel(down_block_types=("DownBlock2D",), up_block_types=("UpBlock2D",), **sizes)
    diffusers.DDPMPipeline(network, diffusers.DDPMScheduler()).save_pretrained(OUT / "diffusers")
    network.save_pretrained(OUT / "diffusers-pickled", safe_serialization=False)
    coder = diffusers.AutoencoderKL(block_out_channels=(8,), norm_num_groups=4)
    coder.save_pretrained(OUT / "coder")
    text = transformers.CLIPTextModel(transformers.CLIPTextConfig(
        vocab_size=60, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2))
    text.save_pretrained(OUT / "clip")


def with_tabnet():
    model = TabNetClassifier(n_d=4, n_a=4, verbose=0, device_name="cpu")
    model.fit(X, LABELS, max_epochs=1, batch_size=32, virtual_batch_size=16)
    model.save_model(str(OUT / "tabnet"))
    (OUT / "tabnet.pkl").write_bytes(pickle.dumps(model))


def with_geometric():
    data = torch_geometric.data.Data(x=torch.ones(3, 4), edge_index=torch.tensor([[0, 1], [1, 2]]), y=torch.zeros(3))
    torch.save(data, OUT / "geometric-data.pt")
    torch.save(torch_geometric.data.Batch.from_data_list([data, data]), OUT / "geometric-batch.pt")
    for name in ["GCN", "GraphSAGE", "GAT", "GIN"]:
        model = getattr(torch_geometric.nn, name)(4, 4, 1)
        torch.save(model, OUT / f"geometric-{name}.pt")
        torch.save(model.state_dict(), OUT / f"geometric-{name}-state.pt")


def with_torchvision():
    for name in ["squeezenet1_1", "shufflenet_v2_x0_5", "mobilenet_v3_small", "resnet18", "vit_b_16"]:
        with torch.device("meta"):
            model = getattr(torchvision.models, name)(num_classes=2)
        torch.save(model, OUT / f"torchvision-{name}.pt")
    steps = torchvision.transforms
    torch.save(steps.Compose([steps.Resize(8), steps.ToTensor(), steps.Normalize([0.5], [0.5])]), OUT / "transforms.pt")
    torch.save(steps.v2.Compose([steps.v2.RandomCrop(8), steps.v2.ToDtype(torch.float32, scale=True)]), OUT / "transforms-v2.pt")


OUT.mkdir(parents=True)
warnings.simplefilter("ignore")
torch.manual_seed(0)
for make in [with_ultralytics, with_fastai, with_diffusers, with_tabnet, with_geometric, with_torchvision]:
    make()

"""Models of engines with formats of their own: PaddlePaddle, OpenVINO, Core ML,
ONNX Runtime, and R's.

    python make_engines.py DIRECTORY
"""

import sys
import warnings
from pathlib import Path

import coremltools
import numpy as np
import onnx
import onnxruntime
import openvino
import paddle
import pandas as pd
import pyreadr
from coremltools.converters.mil import Builder
from onnx import TensorProto, helper, numpy_helper

OUT = Path(sys.argv[1])


def with_paddle():
    model = paddle.nn.Sequential(paddle.nn.Linear(4, 3), paddle.nn.ReLU(), paddle.nn.Linear(3, 2))
    optimiser = paddle.optimizer.Adam(parameters=model.parameters())
    model(paddle.ones([1, 4])).sum().backward()
    optimiser.step()
    paddle.save(model.state_dict(), str(OUT / "paddle.pdparams"))
    paddle.save(optimiser.state_dict(), str(OUT / "paddle.pdopt"))
    paddle.save({"epoch": 3, "model": model.state_dict()}, str(OUT / "paddle-checkpoint.pdckpt"))
    paddle.save(model.state_dict(), str(OUT / "paddle-protocol-2.pdparams"), protocol=2)
    model.eval()
    paddle.jit.save(model, str(OUT / "paddle-jit" / "model"), input_spec=[paddle.static.InputSpec([None, 4])])


def onnx_model():
    value = helper.make_tensor_value_info
    weight = numpy_helper.from_array(np.ones((4, 2), "f4"), "w")
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["m"]), helper.make_node("Relu", ["m"], ["y"])], "graph",
                              [value("x", TensorProto.FLOAT, [1, 4])], [value("y", TensorProto.FLOAT, [1, 2])], [weight])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def with_onnxruntime():
    onnx.save(onnx_model(), OUT / "plain.onnx")
    for name, ending in [("ORT", "ort"), ("ONNX", "optimised.onnx")]:
        options = onnxruntime.SessionOptions()
        options.optimized_model_filepath = str(OUT / f"plain.{ending}")
        options.add_session_config_entry("session.save_model_format", name)
        onnxruntime.InferenceSession(str(OUT / "plain.onnx"), options, providers=["CPUExecutionProvider"])


def with_openvino():
    model = openvino.convert_model(str(OUT / "plain.onnx"))
    openvino.save_model(model, OUT / "openvino.xml")


def with_coreml():
    @Builder.program(input_specs=[Builder.TensorSpec(shape=(1, 4))])
    def program(x):
        return Builder.relu(x=Builder.linear(x=x, weight=np.ones((2, 4), "f4"), bias=np.zeros(2, "f4")))

    for name, target in [("package.mlpackage", coremltools.target.iOS16), ("old.mlmodel", coremltools.target.iOS14)]:
        kind = "mlprogram" if name.endswith("package") else "neuralnetwork"
        model = coremltools.convert(program, convert_to=kind, minimum_deployment_target=target)
        model.short_description = "toy"
        model.user_defined_metadata["note"] = "toy"
        model.save(str(OUT / name))


def with_r():
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"], "c": [1.5, None], "d": pd.to_datetime(["2024-01-01", None]), "e": [True, False]})
    pyreadr.write_rds(str(OUT / "frame.rds"), frame)
    pyreadr.write_rds(str(OUT / "frame-gzip.rds"), frame, compress="gzip")
    pyreadr.write_rdata(str(OUT / "frame.rdata"), frame, df_name="frame")


OUT.mkdir(parents=True)
warnings.simplefilter("ignore")
with_paddle()
with_onnxruntime()
with_openvino()
with_coreml()
with_r()

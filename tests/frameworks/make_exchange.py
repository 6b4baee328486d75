"""Models in the formats that frameworks exchange: ONNX, GGUF, PMML.

    python make_exchange.py DIRECTORY
"""

import sys
from pathlib import Path

import gguf
import lightgbm
import numpy as np
import onnx
import onnxmltools
import skl2onnx
import sklearn.cluster
import sklearn.ensemble
import sklearn.feature_extraction.text
import sklearn.linear_model
import sklearn.neighbors
import sklearn.neural_network
import sklearn.pipeline
import sklearn.preprocessing
import sklearn.svm
import sklearn.tree
import xgboost
from onnx import TensorProto, helper, numpy_helper
from onnxmltools.convert.common.data_types import FloatTensorType

OUT = Path(sys.argv[1])
RNG = np.random.RandomState(0)
X = RNG.normal(size=(60, 4)).astype("f4")
LABELS = (X[:, 0] > 0).astype(int)


def onnx_of_sklearn():
    models = [
        sklearn.linear_model.LogisticRegression(), sklearn.linear_model.LinearRegression(), sklearn.svm.SVC(probability=True),
        sklearn.tree.DecisionTreeClassifier(), sklearn.ensemble.RandomForestClassifier(3), sklearn.neighbors.KNeighborsClassifier(),
        sklearn.neural_network.MLPClassifier(max_iter=5), sklearn.cluster.KMeans(2), sklearn.preprocessing.StandardScaler(),
        sklearn.ensemble.GradientBoostingRegressor(n_estimators=3), sklearn.ensemble.IsolationForest(n_estimators=3),
        sklearn.pipeline.make_pipeline(sklearn.preprocessing.MinMaxScaler(), sklearn.linear_model.Ridge()),
    ]
    for model in models:
        converted = skl2onnx.to_onnx(model.fit(X, LABELS), X[:1], target_opset={"": 18, "ai.onnx.ml": 3})
        (OUT / f"{type(model).__name__}.onnx").write_bytes(converted.SerializeToString())
    words = sklearn.feature_extraction.text.TfidfVectorizer().fit(["some words", "other words"])
    converted = skl2onnx.convert_sklearn(words, initial_types=[("text", skl2onnx.common.data_types.StringTensorType([None, 1]))],
                                         target_opset={"": 18, "ai.onnx.ml": 3})
    onnx.save(converted, OUT / "words.onnx")
    inputs = [("x", FloatTensorType([None, 4]))]
    booster = xgboost.XGBClassifier(n_estimators=3).fit(X, LABELS)
    onnx.save(onnxmltools.convert_xgboost(booster, initial_types=inputs), OUT / "xgboost.onnx")
    booster = lightgbm.LGBMClassifier(n_estimators=3, verbose=-1).fit(X, LABELS)
    onnx.save(onnxmltools.convert_lightgbm(booster, initial_types=inputs, zipmap=False), OUT / "lightgbm.onnx")


def onnx_by_hand():
    value = helper.make_tensor_value_info
    kinds = ["float16", "float32", "float64", "int8", "uint8", "int16", "int32", "int64", "bool", "complex64"]
    tensors = [numpy_helper.from_array(np.ones((2, 3), kind), f"w-{kind}") for kind in kinds]
    tensors.append(helper.make_tensor("w-text", TensorProto.STRING, [2], [b"a", b"b"]))
    tensors.append(helper.make_tensor("w-bfloat16", TensorProto.BFLOAT16, [2], [1.0, 2.0]))
    tensors.append(helper.make_tensor("w-int4", TensorProto.INT4, [3], [1, 2, 3]))
    tensors.append(helper.make_tensor("w-float8", TensorProto.FLOAT8E4M3FN, [2], [1.0, 2.0]))
    then = helper.make_graph([helper.make_node("Identity", ["x"], ["t"])], "then", [], [value("t", TensorProto.FLOAT, [None])])
    other = helper.make_graph([helper.make_node("Neg", ["x"], ["e"])], "else", [], [value("e", TensorProto.FLOAT, [None])])
    nodes = [
        helper.make_node("Constant", [], ["c"], value=helper.make_tensor("c", TensorProto.BOOL, [], [True])),
        helper.make_node("If", ["c"], ["y"], then_branch=then, else_branch=other),
        helper.make_node("Twice", ["y"], ["z"], domain="local"),
    ]
    graph = helper.make_graph(nodes, "graph", [value("x", TensorProto.FLOAT, [None])], [value("z", TensorProto.FLOAT, [None])], tensors)
    twice = helper.make_function("local", "Twice", ["a"], ["b"], [helper.make_node("Add", ["a", "a"], ["b"])],
                                 [helper.make_opsetid("", 21)])
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("local", 1)]
    model = helper.make_model(graph, functions=[twice], opset_imports=opsets, producer_name="toy")
    helper.set_model_props(model, {"author": "somebody", "note": "toy"})
    onnx.save(model, OUT / "by-hand.onnx")
    onnx.save(model, OUT / "by-hand.textproto", format="textproto")
    onnx.save(model, OUT / "by-hand.json", format="json")
    large = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "graph", [value("x", TensorProto.FLOAT, [1000])],
                              [value("y", TensorProto.FLOAT, [1000])], [numpy_helper.from_array(np.ones(1000, "f4"), "w")])
    for name, one in [("outside", True), ("outside-each", False)]:
        folder = OUT / name
        folder.mkdir()
        onnx.save(helper.make_model(large), folder / "model.onnx", save_as_external_data=True, all_tensors_to_one_file=one,
                  location="model.onnx.data" if one else None, size_threshold=0)
    (OUT / "tensor.pb").write_bytes(tensors[0].SerializeToString())


def with_gguf():
    writer = gguf.GGUFWriter(OUT / "plain.gguf", "llama")
    writer.add_name("toy")
    writer.add_block_count(1)
    writer.add_context_length(8)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(["<s>", "</s>", "a"])
    writer.add_token_scores([0.0, 0.0, 1.0])
    writer.add_token_types([3, 3, 1])
    writer.add_array("toy.nested", [1.5, 2.5])
    writer.add_chat_template("{% for m in messages %}{{ m['role'] }}: {{ m['content'] | trim }}\n{% endfor %}")
    for kind in ["f2", "f4", "f8", "i1", "i2", "i4", "i8"]:
        writer.add_tensor(f"t.{kind}", np.ones((4, 32), kind))
    rows = RNG.normal(size=(4, 256)).astype("f4")
    for kind in ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "BF16", "TQ1_0", "TQ2_0"]:
        kind = gguf.GGMLQuantizationType[kind]
        writer.add_tensor(f"q.{kind.name}", gguf.quants.quantize(rows, kind), raw_dtype=kind)
    finish(writer)
    writer = gguf.GGUFWriter(OUT / "split.gguf", "llama", split_max_tensors=2)
    for number in range(5):
        writer.add_tensor(f"t{number}", np.ones((4, 32), "f4"))
    finish(writer)
    writer = gguf.GGUFWriter(OUT / "big-endian.gguf", "llama", endianess=gguf.GGUFEndian.BIG)
    writer.add_name("toy")
    writer.add_tensor("t", np.ones((4, 32), "f4"))
    finish(writer)
    writer = gguf.GGUFWriter(OUT / "vocabulary.gguf", "llama")
    writer.add_custom_alignment(64)
    writer.add_token_list([f"t{number}" for number in range(500)])
    finish(writer)


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


OUT.mkdir(parents=True)
onnx_of_sklearn()
onnx_by_hand()
with_gguf()

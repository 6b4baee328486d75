"""Models of TensorFlow 2.15 with Keras 2: HDF5, .keras, SavedModel, checkpoints,
frozen graphs, TFLite, records.

    python make_tensorflow.py DIRECTORY
"""

import os
import pickle
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import numpy as np
import tensorflow as tf
import tf_keras
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

OUT = Path(sys.argv[1])
L = tf_keras.layers


def dense():
    model = tf_keras.Sequential([L.Input((4,)), L.Dense(8, activation="relu", kernel_regularizer="l2"), L.BatchNormalization(),
                                 L.Dropout(0.1), L.Dense(2, activation="softmax")])
    model.compile(tf_keras.optimizers.Adam(tf_keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)),
                  "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(np.ones((8, 4)), np.zeros(8), verbose=0)
    return model


def images():
    model = tf_keras.Sequential([L.Input((8, 8, 3)), L.Rescaling(1 / 255), L.RandomFlip(), L.Conv2D(2, 3), L.DepthwiseConv2D(3),
                                 L.MaxPool2D(), L.GlobalAveragePooling2D(), L.Flatten(), L.Dense(1)])
    model.compile("sgd", "mse")
    return model


def words():
    vector = L.TextVectorization(max_tokens=20, output_sequence_length=4)
    vector.adapt(["some words", "other words"])
    return tf_keras.Sequential([L.Input((1,), dtype="string"), vector, L.Embedding(20, 4), L.Bidirectional(L.LSTM(3)), L.Dense(1)])


def several():
    one, two = L.Input((4,), name="one"), L.Input((3,), name="two")
    joined = L.Concatenate()([L.Dense(2)(one), two])
    attended = L.MultiHeadAttention(1, 2)(joined[:, None, :], joined[:, None, :])
    return tf_keras.Model([one, two], [L.GRU(2)(attended), L.LeakyReLU()(joined)])


class Own(tf_keras.Model):
    """A model written as a class: only its calls are saved."""

    def __init__(self):
        super().__init__()
        self.inner = L.Dense(2)

    def call(self, inputs):
        return self.inner(inputs)


class Module(tf.Module):
    """A model without Keras."""

    def __init__(self):
        super().__init__()
        self.weight = tf.Variable([[1.0, 2.0]])
        self.table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(["a", "b"], [1, 2]), -1)

    @tf.function(input_signature=[tf.TensorSpec([None, 2])])
    def __call__(self, values):
        tf.debugging.assert_all_finite(values, "finite")
        return tf.reduce_sum(values * self.weight)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def look_up(self, keys):
        return self.table.lookup(keys)


def with_keras():
    for name, make in {"dense": dense, "images": images, "words": words, "several": several}.items():
        model = make()
        folder = OUT / name
        folder.mkdir()
        if name != "words":  # HDF5 holds no tables of words
            model.save(folder / "model.h5")
            model.save_weights(folder / "only.weights.h5")
        model.save(folder / "model.keras")
        model.save(folder / "saved", save_format="tf")
        model.save_weights(folder / "checkpoint" / "weights")
        (folder / "model.json").write_text(model.to_json())
        if name != "words":
            model.export(folder / "exported")
            (folder / "model.pkl").write_bytes(pickle.dumps(model))
    own = Own()
    own(np.ones((1, 3), "f4"))
    own.save(OUT / "own", save_format="tf")
    own.save_weights(OUT / "own.weights.h5")
    (OUT / "tokenizer.json").write_text(tokenizer().to_json())
    (OUT / "tokenizer.pickle").write_bytes(pickle.dumps(tokenizer()))


def tokenizer():
    made = tf_keras.preprocessing.text.Tokenizer()
    made.fit_on_texts(["some words", "other words"])
    return made


def with_tensorflow():
    module = Module()
    tf.saved_model.save(module, str(OUT / "module"))
    tf.train.Checkpoint(module=module, step=tf.Variable(3)).save(str(OUT / "checkpoints" / "toy"))
    manager = tf.train.CheckpointManager(tf.train.Checkpoint(weight=module.weight), str(OUT / "managed"), max_to_keep=2)
    for _ in range(3):
        manager.save()
    frozen = convert_variables_to_constants_v2(tf.function(dense()).get_concrete_function(tf.TensorSpec([1, 4])))
    tf.io.write_graph(frozen.graph, str(OUT), "frozen.pb", as_text=False)
    tf.io.write_graph(frozen.graph, str(OUT), "frozen.pbtxt", as_text=True)
    with tf.io.TFRecordWriter(str(OUT / "records.tfrecord")) as writer:
        feature = tf.train.Feature(float_list=tf.train.FloatList(value=[1.0, 2.0]))
        writer.write(tf.train.Example(features=tf.train.Features(feature={"x": feature})).SerializeToString())
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        values = tf.compat.v1.placeholder(tf.float32, [None, 2], "x")
        weight = tf.compat.v1.get_variable("w", [2, 1])
        output = tf.identity(tf.matmul(values, weight), "y")
        session.run(tf.compat.v1.global_variables_initializer())
        tf.compat.v1.train.Saver().save(session, str(OUT / "version-1" / "model.ckpt"))
        (OUT / "version-1-old").mkdir()
        old = tf.compat.v1.train.Saver(write_version=tf.compat.v1.train.SaverDef.V1)
        old.save(session, str(OUT / "version-1-old" / "model.ckpt"))
        tf.compat.v1.saved_model.simple_save(session, str(OUT / "simple"), {"x": values}, {"y": output})


def with_tflite():
    model = dense()
    images_model = images()
    plain = tf.lite.TFLiteConverter.from_keras_model(model)
    (OUT / "plain.tflite").write_bytes(plain.convert())
    small = tf.lite.TFLiteConverter.from_keras_model(images_model)
    small.optimizations = [tf.lite.Optimize.DEFAULT]
    (OUT / "small.tflite").write_bytes(small.convert())
    whole = tf.lite.TFLiteConverter.from_keras_model(model)
    whole.optimizations = [tf.lite.Optimize.DEFAULT]
    whole.representative_dataset = lambda: ([np.ones((1, 4), "f4")] for _ in range(4))
    whole.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    (OUT / "int8.tflite").write_bytes(whole.convert())
    module = Module()
    flex = tf.lite.TFLiteConverter.from_concrete_functions([module.__call__.get_concrete_function()], module)
    flex.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
    (OUT / "flex.tflite").write_bytes(flex.convert())


OUT.mkdir(parents=True)
with_keras()
with_tensorflow()
with_tflite()

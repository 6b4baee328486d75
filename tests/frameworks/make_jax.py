"""Models of JAX and its libraries: Keras 3, Flax, Orbax, Equinox.

    python make_jax.py DIRECTORY
"""

import os
import pickle
import sys
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_PLATFORMS"] = "cpu"

import equinox
import flax.linen
import flax.nnx
import flax.serialization
import flax.training.train_state
import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import orbax.checkpoint

OUT = Path(sys.argv[1]).resolve()
L = keras.layers


def dense():
    model = keras.Sequential([L.Input((4,)), L.Dense(8, activation="gelu", kernel_regularizer=keras.regularizers.L1L2(0.1, 0.1)),
                              L.BatchNormalization(), L.Dropout(0.1), L.Dense(2, activation="softmax")])
    model.compile(keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(0.1, 10)), "sparse_categorical_crossentropy",
                  metrics=["accuracy", keras.metrics.AUC(name="auc", multi_label=True, num_labels=2)])
    return model


def images():
    return keras.Sequential([L.Input((8, 8, 3)), L.Rescaling(1 / 255), L.Conv2D(2, 3), L.SeparableConv2D(2, 3), L.LayerNormalization(),
                             L.MaxPool2D(), L.GlobalAveragePooling2D(), L.Dense(1)])


def several():
    one, two = L.Input((4,), name="one"), L.Input((3,), name="two")
    joined = L.Concatenate()([L.Dense(2)(one), two])
    row = L.Reshape((1, 5))(joined)
    attended = L.MultiHeadAttention(1, 2)(row, row)
    return keras.Model({"one": one, "two": two}, [L.GRU(2)(attended), keras.ops.relu(joined) * 2 + 1])


def words():
    return keras.Sequential([L.Input((5,)), L.Embedding(20, 4, mask_zero=True), L.Bidirectional(L.LSTM(3)), L.Dense(2)])


def with_keras():
    for name, make in {"dense": dense, "images": images, "several": several, "words": words}.items():
        model = make()
        folder = OUT / name
        folder.mkdir()
        model.save(folder / "model.keras")
        model.save(folder / "zipped.keras", zipped=True)
        model.save(folder / "model.h5")
        model.save_weights(folder / "only.weights.h5")
        model.save_weights(folder / "sharded.weights.json", max_shard_size=0.001)
        (folder / "model.json").write_text(model.to_json())
        (folder / "model.pkl").write_bytes(pickle.dumps(model))
    quantised = keras.Sequential([L.Input((4,)), L.Dense(8), L.Dense(2)])
    quantised.quantize("int8")
    quantised.save(OUT / "quantised.keras")
    low_rank = keras.Sequential([L.Input((4,)), L.Dense(8)])
    low_rank.layers[0].enable_lora(2)
    low_rank.save(OUT / "low-rank.keras")


class Linen(flax.linen.Module):
    """A small network of flax.linen."""

    @flax.linen.compact
    def __call__(self, values):
        return flax.linen.Dense(2)(flax.linen.relu(flax.linen.Dense(3)(values)))


class Nnx(flax.nnx.Module):
    """A small network of flax.nnx."""

    def __init__(self, rngs):
        self.inner = flax.nnx.Linear(4, 2, rngs=rngs)


def with_flax():
    network = Linen()
    parameters = network.init(jax.random.key(0), jnp.ones((1, 4)))
    (OUT / "parameters.msgpack").write_bytes(flax.serialization.to_bytes(parameters))
    mixed = {"half": jnp.ones(3, jnp.bfloat16), "count": 3, "scalar": np.float32(1), "complex": 1 + 2j, "list": [jnp.zeros(2), None]}
    (OUT / "mixed.msgpack").write_bytes(flax.serialization.msgpack_serialize(flax.serialization.to_state_dict(mixed)))
    state = flax.training.train_state.TrainState.create(apply_fn=network.apply, params=parameters["params"], tx=optax.adam(0.1))
    (OUT / "state.msgpack").write_bytes(flax.serialization.to_bytes(state))
    (OUT / "parameters.pkl").write_bytes(pickle.dumps(jax.device_get(parameters)))
    (OUT / "parameters-on-device.pkl").write_bytes(pickle.dumps(parameters))
    (OUT / "optimiser.pkl").write_bytes(pickle.dumps(optax.adam(0.1).init(parameters)))
    _, nnx = flax.nnx.split(Nnx(flax.nnx.Rngs(0)))
    (OUT / "nnx.pkl").write_bytes(pickle.dumps(flax.nnx.to_pure_dict(nnx)))
    return parameters, state, nnx


def with_orbax(parameters, state, nnx):
    with orbax.checkpoint.StandardCheckpointer() as saver:
        saver.save(OUT / "orbax-standard", parameters)
        saver.save(OUT / "orbax-state", state)
        saver.save(OUT / "orbax-nnx", nnx)
    with orbax.checkpoint.PyTreeCheckpointer(use_ocdbt=False) as saver:
        saver.save(OUT / "orbax-zarr", parameters)
    with orbax.checkpoint.CheckpointManager(OUT / "orbax-managed") as manager:
        for step in range(2):
            manager.save(step, args=orbax.checkpoint.args.Composite(
                state=orbax.checkpoint.args.StandardSave(parameters), note=orbax.checkpoint.args.JsonSave({"step": step})))
        manager.wait_until_finished()


def with_equinox():
    network = equinox.nn.MLP(4, 2, 3, 1, key=jax.random.key(0))
    equinox.tree_serialise_leaves(OUT / "network.eqx", network)
    exported = jax.export.export(jax.jit(lambda values: values * 2))(jax.ShapeDtypeStruct((3,), jnp.float32))
    (OUT / "exported.jax").write_bytes(exported.serialize())
    (OUT / "exported.mlir").write_text(exported.mlir_module())


OUT.mkdir(parents=True)
with_keras()
with_orbax(*with_flax())
with_equinox()

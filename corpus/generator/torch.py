"""PyTorch files: zip, legacy stream, old tar, TorchScript, packages."""

import struct

from . import executables
from .archives_tar import tar_file
from .objects import module, ordered_dict, packed, parameter, tensor
from .opcodes import NewObj, Persistent, Reduce, asm, call, dumps, named
from .registry import CLEAN, COMMAND, INCOMPLETE, MALICIOUS, SUSPICIOUS
from .zipwriter import DEFLATED, Member, zip_file

MAGIC = 0x1950A86A20F9469CFC6C
WHAT = f"os.system({COMMAND!r})"
EVIL = asm("PROTO 2", "GLOBAL os system", f"BINUNICODE {COMMAND}", "TUPLE1", "REDUCE", "STOP")
SIZES = {"Float": 4, "Long": 8, "Half": 2, "BFloat16": 2}


def small_state_dict(legacy=False):
    """A two-tensor state_dict, and its storages by key."""
    weights, bias = tensor("Float", "0", (2, 3)), tensor("Float", "1", (2,))
    if legacy:
        for made in (weights, bias):
            made.args[0].pid += (None,)  # no view metadata
    value = ordered_dict([("fc.weight", weights), ("fc.bias", bias)],
                         {"_metadata": ordered_dict([("", {"version": 1}), ("fc", {"version": 1})])})
    return value, {"0": packed([0.0, 1.0, 2.0, 3.0, 4.0, 5.0], "f4"), "1": packed([0.5, -0.5], "f4")}


def zip_members(pickle, storages, root="archive", extra=(), version=b"3\n"):
    """The members of a torch zip: stored, aligned to 64, sizes behind the data."""
    files = [("data.pkl", pickle), ("byteorder", b"little"), *((f"data/{key}", data) for key, data in storages.items()),
             ("version", version), (".data/serialization_id", b"0636067364111760072600000000000000000000")]
    return [Member(f"{root}/{name}", data, descriptor=True, align=64, flags=0x800)
            for name, data in [*files, *extra]]


def torch_zip(pickle, storages=None, **options):
    return zip_file(zip_members(pickle, storages or {}, **options), zip64=True)


def legacy_head(magic=None, sys_info=None):
    """The first three pickles of a legacy file."""
    return ((dumps(MAGIC, 2) if magic is None else magic) + dumps(1001, 2)
            + (sys_info or dumps({"protocol_version": 1001, "little_endian": True,
                                  "type_sizes": {"short": 2, "int": 4, "long": 4}}, 2)))


def legacy_file(value, storages, magic=None, sys_info=None, keys=None):
    """magic, protocol, sys_info, object, keys; then each storage with its count."""
    obj = value if isinstance(value, bytes) else dumps(value, 2)
    out = legacy_head(magic, sys_info) + obj + (keys or dumps(list(storages), 2))
    for data in storages.values():
        out += struct.pack("<q", len(data) // 4) + data
    return out


def torch_tar(tensors=None, storages=None, pickle=None, sys_info=None, extra=()):
    """The tar of torch before 0.1.10: sys_info, pickle, tensors and storages."""
    data = packed([1.0, 2.0, 3.0], "f4")
    if storages is None:
        storages = dumps(1, 2) + dumps((1, "cpu", named("torch.FloatStorage")), 2) + struct.pack("<q", 3) + data + dumps([], 2)
    if tensors is None:
        tensors = dumps(1, 2) + dumps((2, 1, named("torch.FloatTensor")), 2) + struct.pack("<i", 1) \
            + bytes(4) + struct.pack("<3q", 3, 1, 0)
    pickle = pickle or dumps({"weight": Persistent("2")}, 2)
    sys_info = sys_info or dumps({"protocol_version": 1000, "little_endian": True}, 2)
    return tar_file([("sys_info", sys_info), ("pickle", pickle), ("tensors", tensors), ("storages", storages), *extra])


LINEAR = '''class Linear(Module):
  __parameters__ = ["weight", ]
  __buffers__ = []
  weight : Tensor
  training : bool
  def forward(self: __torch__.torch.nn.modules.linear.Linear,
    input: Tensor) -> Tensor:
    weight = self.weight
    return torch.linear(input, weight)
'''


def torchscript(code=LINEAR, constants=None, debug=None, data=None, extra=()):
    """A scripted module: data.pkl, code/, constants.pkl."""
    data = data or dumps(NewObj(named("__torch__.torch.nn.modules.linear.Linear"), (),
                                {"weight": tensor("Float", "0", (1, 2)), "training": True}), 2)
    debug = debug or dumps(("FORMAT_WITH_STRING_TABLE", ("", "    return F.linear(input, self.weight)\n", "linear.py"),
                            call("torch.jit._pickle.build_intlist", [1, 2, 0])), 2)
    path = "code/__torch__/torch/nn/modules/linear.py"
    files = [("data.pkl", data, 0), ("data/0", packed([0.5, 0.25], "f4"), 0), (path, code.encode(), DEFLATED),
             (path + ".debug_pkl", debug, DEFLATED), ("constants.pkl", constants or dumps((), 2), 0),
             *((name, data, 0) for name, data in extra), ("version", b"3\n", 0)]
    return zip_file([Member(f"linear/{name}", data, method, descriptor=True, align=64, flags=0x800)
                     for name, data, method in files], zip64=True)


def add_samples(corpus):
    def add(name, verdict, data, what, why):
        corpus.add(f"torch/{name}", verdict, data, what, why)

    state, storages = small_state_dict()
    clean = dumps(state, 2)

    add("state-dict.pt", CLEAN, torch_zip(clean, storages), "a state_dict of two tensors, zip format", "what torch.save writes since 1.6")
    add("library-inside.pt", SUSPICIOUS, torch_zip(clean, storages, extra=[("lib.so", executables.elf())]), "a native library among the records", "no loader of weights has a use for it")
    add("state-dict-root-name.pth", CLEAN, torch_zip(clean, storages, root="my model"), "the same under another root folder", "the root of the records is free")
    add("state-dict-old-version.bin", CLEAN, zip_file([
        Member("archive/data.pkl", clean, descriptor=True, flags=0x800), Member("archive/data/0", storages["0"]),
        Member("archive/data/1", storages["1"]), Member("archive/version", b"3\n")]),
        "a state_dict without byteorder and serialization id, not aligned", "torch 1.6 to 1.13, rewritten by another zip tool")
    add("state-dict-format-version.pt", CLEAN, torch_zip(clean, storages, extra=[(".format_version", b"1"), (".storage_alignment", b"64")]),
        "a state_dict with .format_version and .storage_alignment", "torch 2.6 and later add records")
    mixed = {"half": tensor("Half", "0", (3,)), "bf16": tensor("BFloat16", "1", (2,)), "long": tensor("Long", "2", (2,)),
             "param": parameter(tensor("Float", "3", (2,))), "view": tensor("Float", "3", (1,), count=2, offset=1),
             "empty": tensor("Float", "4", (0,)), "cuda": tensor("Float", "5", (1,), location="cuda:0"),
             "sparse": Reduce(named("torch._utils._rebuild_sparse_tensor"), (
                 call("torch.serialization._get_layout", "torch.sparse_coo"),
                 (tensor("Long", "6", (1, 1)), tensor("Float", "5", (1,)), call("torch.Size", (2,))))),
             "quantized": Reduce(named("torch._utils._rebuild_qtensor"), (
                 Persistent(("storage", named("torch.QInt8Storage"), "7", "cpu", 2)), 0, (2,), (1,),
                 (named("torch.per_tensor_affine"), 0.1, 0), False, ordered_dict([])))}
    add("tensor-kinds.pt", CLEAN, torch_zip(dumps(mixed, 2), {
        "0": bytes(6), "1": bytes(4), "2": bytes(16), "3": bytes(8), "4": b"", "5": bytes(4), "6": bytes(8), "7": bytes(2)}),
        "half, bfloat16, sparse, quantised, shared, empty and CUDA tensors", "the honest variety of _rebuild functions and storages")
    net = module("torch.nn.modules.container.Sequential", modules=[
        ("0", module("torch.nn.modules.linear.Linear", [("weight", parameter(tensor("Float", "0", (2, 3)))), ("bias", parameter(tensor("Float", "1", (2,))))],
                     in_features=3, out_features=2)),
        ("1", module("torch.nn.modules.activation.ReLU", inplace=False))])
    add("whole-module.pt", CLEAN, torch_zip(dumps(net, 2), storages), "a Sequential saved whole", "torch.save(model): torch.nn classes by NEWOBJ")
    custom = module("weighin_example.models.Net", modules=[("body", net)])
    add("whole-custom-module.pt", CLEAN, torch_zip(dumps(custom, 2), storages), "a module of an unknown package saved whole",
        "class names of the training code: worth a note, no more")
    checkpoint = {"epoch": 3, "state_dict": state, "optimizer": {"state": {0: {"step": 10, "exp_avg": tensor("Float", "0", (2, 3))}},
                  "param_groups": [{"lr": 1e-3, "betas": (0.9, 0.999), "params": [0]}]}, "hyper_parameters": {"lr": 1e-3},
                  "pytorch-lightning_version": "2.1.0"}
    add("lightning.ckpt", CLEAN, torch_zip(dumps(checkpoint, 2), storages), "a Lightning checkpoint with optimizer state", "dictionaries around a state_dict")
    add("instantiator.ckpt", SUSPICIOUS, torch_zip(dumps({"state_dict": state, "hyper_parameters": {
        "_instantiator": "weighin_payload.make_model", "_class_path": "weighin_payload.Net"}}, 2), storages),
        "a Lightning checkpoint whose hyper_parameters name a function to import", "load_from_checkpoint imports and calls it")
    add("legacy.pth", CLEAN, legacy_file(*small_state_dict(legacy=True)), "a legacy file: five pickles and raw storages",
        "what torch.save wrote before 1.6, and still writes on request")
    add("legacy-module.pth", CLEAN, legacy_file(dumps(Persistent(("module", named("torch.nn.modules.linear.Linear"), "/usr/lib/torch/linear.py", LINEAR)), 2), {}),
        "a legacy file with a ('module', class, file, source) id of torch.nn", "old whole-object saves carry the class's source")
    add("old.tar", CLEAN, torch_tar(), "the tar format of torch before 0.1.10", "four members without extension, three of them pickles")
    add("torchscript.pt", CLEAN, torchscript(), "a scripted linear layer", "code/ holds TorchScript, not Python")

    add("data-pkl-system.pt", MALICIOUS, torch_zip(EVIL), f"{WHAT} in data.pkl", "the plain attack in a torch zip")
    state_evil = ordered_dict([("fc.weight", state.pairs[0][1]), ("x", call("os.system", COMMAND))])
    add("data-pkl-in-state-dict.pt", MALICIOUS, torch_zip(dumps(state_evil, 2), storages), f"{WHAT} among the tensors of a state_dict", "the model still loads")
    add("duplicate-data-pkl.pt", MALICIOUS, zip_file([
        *zip_members(clean, storages), Member("archive/data.pkl", EVIL)]),
        "two data.pkl, the second one evil", "readers differ in which of two members of one name they take")
    add("duplicate-data-pkl-first.pt", MALICIOUS, zip_file([
        Member("archive/data.pkl", EVIL), *zip_members(clean, storages)]),
        "two data.pkl, the first one evil", "the same the other way round")
    add("second-root.pt", MALICIOUS, zip_file([*zip_members(clean, storages), *zip_members(EVIL, {}, root="other")], zip64=True),
        "two roots, the second one evil", "every */data.pkl is read")
    add("storage-is-pickle.pt", MALICIOUS, torch_zip(clean, {"0": EVIL, "1": storages["1"]}), f"data/0 is a pickle: {WHAT}", "a pickle where none belongs")
    add("storage-elf.pt", MALICIOUS, torch_zip(clean, {"0": executables.elf(), "1": storages["1"]}), "data/0 is an ELF executable", "a native executable in the place of a tensor")
    add("storage-pe-inside.pt", MALICIOUS, torch_zip(clean, {"0": bytes(4096) + executables.pe() + bytes(512), "1": storages["1"]}),
        "a PE executable 4096 bytes into a storage", "no header may hide bytes: tensor data is read too")
    add("storage-mz-by-chance.pt", CLEAN, torch_zip(clean, {"0": b"MZ\x90\x00" + bytes(16) + b"MZ\x7fELF"[:4], "1": b"\x7fELF\x00\x00\x00\x00"}),
        "storages with the letters MZ and \\x7fELF and no header behind them", "random weights hold magic bytes by chance")
    add("extra-member-pickle.pt", MALICIOUS, torch_zip(clean, storages, extra=[("extra/notes.txt", EVIL)]), f"extra/notes.txt is a pickle: {WHAT}", "every member is judged by its content")
    add("attributes-pickle.ptl", MALICIOUS, torch_zip(clean, storages, extra=[("attributes.pkl", EVIL), ("bytecode.pkl", dumps((1, ()), 2))]), f"{WHAT} in attributes.pkl", "lite models have more pickles than data.pkl")
    add("constants-pickle.pt", MALICIOUS, torchscript(constants=EVIL), f"{WHAT} in constants.pkl of a scripted module", "torch.load hands such files to torch.jit")
    add("debug-pickle.pt", MALICIOUS, torchscript(debug=EVIL), f"{WHAT} in a .debug_pkl, deflated", "debug records are pickles too")
    add("torchscript-from-file.pt", MALICIOUS, torchscript(code=LINEAR.replace(
        "    return torch.linear(input, weight)\n", '    x = torch.from_file("/etc/passwd", False, 100)\n    return torch.linear(input, x)\n')),
        "TorchScript that reads a file by torch.from_file", "CVE-2025-32434: scripted code runs even under weights_only")
    add("torchscript-save.pt", MALICIOUS, torchscript(code=LINEAR.replace(
        "    return torch.linear(input, weight)\n", '    torch.save(weight, "weighin.pt")\n    return torch.linear(input, weight)\n')),
        "TorchScript that writes a file by torch.save", "the same with aten::save")
    add("torchscript-custom-op.pt", SUSPICIOUS, torchscript(code=LINEAR.replace("torch.linear(", "ops.weighin_ops.run(")),
        "TorchScript with an operator of an unknown namespace", "needs a native library that the file does not have")
    add("package.pt", SUSPICIOUS, torch_zip(dumps(NewObj(named("weighin_net.Net"), (), {}), 2), {}, extra=[
        ("weighin_net.py", b"class Net:\n    def forward(self, x):\n        return x\n"), (".data/extern_modules", b"torch\n"), (".data/python_version", b"3.10")]),
        "a torch.package archive with harmless Python source", "PackageImporter runs the source in it")
    add("package-evil.pt", MALICIOUS, torch_zip(dumps(NewObj(named("weighin_net.Net"), (), {}), 2), {}, extra=[
        ("weighin_net.py", f"import os\nos.system({COMMAND!r})\nclass Net:\n    pass\n".encode()), (".data/extern_modules", b"os\n")]),
        "a torch.package archive whose source runs a command on import", "the same, with a payload")
    add("aotinductor.pt2", SUSPICIOUS, zip_file([
        Member("model/archive_format", b"pt2"), Member("model/version", b"0"), Member("model/byteorder", b"little"),
        Member("model/data/aotinductor/model/cabc.so", executables.elf()), Member("model/data/aotinductor/model/cabc.cubin", executables.cubin())]),
        "an AOTInductor package with a native library", "native by design: loading it is dlopen")
    add("legacy-object-stream.pth", MALICIOUS, legacy_file(EVIL, storages), f"{WHAT} in the fourth pickle of a legacy file", "every stream of the five is read")
    add("legacy-sys-info.pth", MALICIOUS, legacy_file(*small_state_dict(legacy=True), sys_info=EVIL), f"{WHAT} in the third pickle", "the same in sys_info")
    add("legacy-keys.pth", MALICIOUS, legacy_file(*small_state_dict(legacy=True), keys=EVIL), f"{WHAT} in the fifth pickle", "the same in the key list")
    add("legacy-computed-magic.pth", MALICIOUS, legacy_file(EVIL, {}, magic=dumps(call("operator.add", MAGIC - 1, 1), 2)),
        f"a magic number computed by a call, then {WHAT}", "a check for the literal magic takes it for another format")
    add("legacy-after-storages.pth", MALICIOUS, legacy_file(*small_state_dict(legacy=True)) + EVIL, f"{WHAT} behind the storages", "bytes after the last storage are read too")
    add("pickle-without-magic.pt", MALICIOUS, EVIL, f"a bare pickle named .pt: {WHAT}", "CVE-2025-10155: fall through the formats, never stop at the first mismatch")
    add("tar-pickle.pt", MALICIOUS, torch_tar(pickle=EVIL), f"{WHAT} in the pickle member of the tar format", "the tar loader ignored weights_only (CVE-2025-32434)")
    add("tar-storages.pt", MALICIOUS, torch_tar(storages=EVIL), f"{WHAT} in the storages member of the tar format", "each member is a pickle stream")
    add("tar-sys-info.pt", MALICIOUS, torch_tar(sys_info=EVIL), f"{WHAT} in sys_info of the tar format", "the same")
    lie = dumps(ordered_dict([("w", tensor("Float", "0", (1000, 1000)))]), 2)
    add("storage-size-lie.pt", SUSPICIOUS, torch_zip(lie, {"0": bytes(24)}), "a tensor of a million floats over a storage of 24 bytes", "CVE-2026-24747: the view is larger than the storage")
    beyond = dumps(ordered_dict([("w", tensor("Float", "0", (6,), count=6, offset=4))]), 2)
    add("tensor-beyond-storage.pt", SUSPICIOUS, torch_zip(beyond, {"0": bytes(24)}), "a tensor that ends behind its storage", "reads past the buffer")
    add("missing-storage.pt", INCOMPLETE, torch_zip(clean, {"0": storages["0"]}), "a state_dict whose second storage is missing", "a file that no loader can load: a damaged or partial save")
    add("truncated.pt", INCOMPLETE, torch_zip(clean, storages)[:700], "a torch zip cut short", "a partial download")
    add("truncated-legacy.pth", INCOMPLETE, legacy_file(*small_state_dict(legacy=True))[:-12], "a legacy file cut inside its last storage", "a partial download")
    add("truncated-evil.pt", MALICIOUS, torch_zip(EVIL, storages)[:400], f"a torch zip with {WHAT}, cut short", "cutting the end must not hide the start")
    add("text.pt", INCOMPLETE, b"this is not a model\n", "a line of text named .pt", "what the name promises is not there")
    add("distributed/.metadata", CLEAN, dumps(NewObj(named("torch.distributed.checkpoint.metadata.Metadata"), (), {
        "state_dict_metadata": {"w": NewObj(named("torch.distributed.checkpoint.metadata.TensorStorageMetadata"), (), {
            "size": call("torch.Size", [2]), "chunks": []})}, "planner_data": None, "storage_data": {}}), 4),
        "the .metadata pickle of a distributed checkpoint", "a hidden file with no extension is a pickle")
    add("distributed-evil/.metadata", MALICIOUS, EVIL, f"{WHAT} in the .metadata of a distributed checkpoint", "the same, with a payload")

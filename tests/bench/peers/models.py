"""The models, in the form each peer takes: a Hugging Face directory, ONNX, ONNX int8, OpenVINO int8.

    models.py OUT MINILM_DIR [--no-vnni] [MODEL...]     make what is missing in OUT; for a processor without VNNI
"""
import sys

if {"-h", "--help"} & set(sys.argv[1:]):
    sys.exit(print(__doc__))    # before what may not be installed

import contextlib
import json
import logging
import os
import shutil
import time
import warnings

import texts

SHAPES = {"minilm": {"heads": 12, "hidden": 384}, "bert-base": {"heads": 12, "hidden": 768, "layers": 12, "inner": 3072},
          "bert-large": {"heads": 16, "hidden": 1024, "layers": 24, "inner": 4096}}


def has_vnni():
    if "--no-vnni" in sys.argv:
        return False
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
        flags = next((line for line in f if line.startswith("flags")), "").split()
    return "avx512_vnni" in flags or "avx_vnni" in flags


class Step:
    """Make a file once: written under another name, renamed when whole."""

    def __init__(self, out, name):
        self.path = os.path.join(out, name)

    def make(self, what, how):
        if os.path.exists(self.path):
            return self.path
        begin = time.time()
        print(f"  {what} ...", end=" ", flush=True, file=sys.stderr)
        stem, ending = os.path.splitext(self.path)
        part = f"{stem}.part{ending}"
        shutil.rmtree(part, ignore_errors=True)
        with contextlib.redirect_stdout(sys.stderr):
            how(part)
        if ending == ".xml":
            os.replace(f"{stem}.part.bin", f"{stem}.bin")
        os.replace(part, self.path)
        print(f"{time.time() - begin:.0f} s", file=sys.stderr)
        return self.path


def write_random(folder, minilm_dir, shape):
    """A directory of a BERT of this shape: random weights, for speed only."""
    import torch
    from transformers import BertConfig, BertModel
    torch.manual_seed(1)
    model = BertModel(BertConfig(vocab_size=30522, hidden_size=shape["hidden"], num_attention_heads=shape["heads"],
                                 num_hidden_layers=shape["layers"], intermediate_size=shape["inner"]))
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            if "LayerNorm.weight" in name:
                tensor.normal_(0.9, 0.1)
            elif "bias" in name:
                tensor.normal_(0, 0.05)
            else:
                tensor.normal_(0, 0.04)
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt", "modules.json"):
        shutil.copy(os.path.join(minilm_dir, name), folder)
    shutil.copytree(os.path.join(minilm_dir, "1_Pooling"), os.path.join(folder, "1_Pooling"))
    with open(os.path.join(folder, "1_Pooling", "config.json"), "r+", encoding="utf-8") as f:
        pooling = json.load(f) | {"word_embedding_dimension": shape["hidden"]}
        f.seek(0)
        json.dump(pooling, f)
        f.truncate()


def make_torch(folder, attention):
    """A module from ids and mask to mean-pooled embeddings, as users of a sentence model run it."""
    import torch
    from transformers import BertModel

    class Pooled(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.bert = BertModel.from_pretrained(folder, attn_implementation=attention, add_pooling_layer=False)

        def forward(self, input_ids, attention_mask):
            hidden = self.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            keep = attention_mask.unsqueeze(-1).to(hidden.dtype)
            return (hidden * keep).sum(1) / keep.sum(1)

    return Pooled().eval()


def export_onnx(folder, attention, path):
    import torch
    ids = torch.randint(1000, 2000, (2, 16))
    mask = torch.ones(2, 16, dtype=torch.long)
    mask[1, 10:] = 0
    axes = {0: "batch", 1: "tokens"}
    torch.onnx.export(make_torch(folder, attention), (ids, mask), path, dynamo=False, opset_version=17,
                      input_names=["input_ids", "attention_mask"], output_names=["sentence_embedding"],
                      dynamic_axes={"input_ids": axes, "attention_mask": axes, "sentence_embedding": {0: "batch"}})


def fuse_onnx(source, shape, path):
    """ONNX Runtime's own optimizer for BERT: one node for attention, and so on."""
    from onnxruntime.transformers.optimizer import optimize_model
    optimized = optimize_model(source, model_type="bert", num_heads=shape["heads"], hidden_size=shape["hidden"])
    optimized.save_model_to_file(path)


def quantize_onnx(source, path):
    """Dynamic int8, per channel; the range reduced where products of 8 bits would saturate, as its manual asks."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic
    quantize_dynamic(source, path, per_channel=True, weight_type=QuantType.QInt8, reduce_range=not has_vnni(),
                     extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT})


def quantize_openvino(source, ids, path):
    """Post-training int8 for transformers, calibrated on these texts."""
    import nncf
    import numpy as np
    import openvino as ov
    pairs = [(np.array([text]), np.ones((1, len(text)), dtype=np.int64)) for text in ids]
    model = nncf.quantize(ov.Core().read_model(source), nncf.Dataset([list(pair) for pair in pairs]),
                          model_type=nncf.ModelType.TRANSFORMER, subset_size=len(ids),
                          target_device=nncf.TargetDevice.CPU)
    ov.save_model(model, path, compress_to_fp16=False)


def calibration_texts(name, minilm_dir):
    """MiniLM: the very texts that fidelity is measured on. Of random weights a few show the ranges."""
    ids = texts.load(minilm_dir)[0]
    return ids if name == "minilm" else [text[:64] for text in ids[:8]]


def onnx_paths(out, minilm_dir, name):
    """{form: path} of the model's directory, its ONNX graph as exported and fused, and the int8 forms of both."""
    os.makedirs(out, exist_ok=True)
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    vnni = "vnni" if has_vnni() else "no-vnni"
    folder = minilm_dir
    if name != "minilm":
        folder = Step(out, name).make(f"{name}: random weights", lambda p: write_random(p, minilm_dir, SHAPES[name]))
    paths = {"dir": folder}
    paths["onnx"] = Step(out, f"{name}.onnx").make(f"{name}: export to ONNX", lambda p: export_onnx(folder, "eager", p))
    paths["onnx-fused"] = Step(out, f"{name}-fused.onnx").make(
        f"{name}: ONNX Runtime's optimizer", lambda p: fuse_onnx(paths["onnx"], SHAPES[name], p))
    for form in ("onnx", "onnx-fused"):
        paths[f"{form}-int8"] = Step(out, f"{name}-{form}-int8-{vnni}.onnx").make(
            f"{name}: dynamic int8 of {form}", lambda p: quantize_onnx(paths[form], p))
    return paths


def make_all(out, minilm_dir, names):
    """{model: {form: path}}"""
    made = {}
    for name in names:
        paths = onnx_paths(out, minilm_dir, name)
        paths["onnx-sdpa"] = Step(out, f"{name}-sdpa.onnx").make(
            f"{name}: export to ONNX for OpenVINO", lambda p: export_onnx(paths["dir"], "sdpa", p))
        paths["openvino-int8"] = Step(out, f"{name}-int8.xml").make(
            f"{name}: NNCF int8, calibrated",
            lambda p: quantize_openvino(paths["onnx-sdpa"], calibration_texts(name, minilm_dir), p))
        made[name] = paths
    return made


if __name__ == "__main__":
    if sys.argv[1] == "--onnx":      # models.py --onnx OUT MINILM_DIR: ONNX Runtime's int8 models alone
        print(json.dumps({name: onnx_paths(*sys.argv[2:4], name)["onnx-fused-int8"] for name in ("minilm", "bert-base")}))
    else:
        names = [word for word in sys.argv[3:] if word != "--no-vnni"]
        print(json.dumps(make_all(sys.argv[1], sys.argv[2], names or list(SHAPES))))

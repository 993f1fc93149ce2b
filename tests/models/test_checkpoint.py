"""Recognising checkpoints from their headers, on files written for the test."""

from __future__ import annotations

import json
import struct
import zipfile
from contextlib import suppress
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from lib_anim.errors import FlipbookError, NotFound
from lib_anim.models.checkpoint import read_checkpoint
from lib_anim.models.header import read_header
from lib_anim.models.tokenizer import open_tokenizer


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = spec_from_file_location("random_checkpoint", Path(__file__).with_name("random_checkpoint.py"))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_sd1_sizes_come_from_the_shapes(maker: ModuleType, tmp_path: Path) -> None:
    found = read_checkpoint(
        maker.write_sd1(tmp_path / "a.safetensors", channels=(32, 64, 64, 96), width=128, vocabulary=500)
    )
    assert found.family == "sd1"
    assert found.unet.channels == (32, 64, 64, 96)
    assert found.unet.layers == 2
    assert found.unet.depths == (1, 1, 1, 0)
    assert found.unet.heads == (8, 8, 8, 8)
    assert found.unet.context == 128
    assert not found.unet.linear_projection
    assert found.vae is not None
    assert found.vae.channels == (32, 32, 32, 32)
    (text,) = found.text
    assert (text.vocabulary, text.width, text.hidden, text.layers, text.heads) == (500, 128, 512, 2, 2)
    assert found.native_size == 512
    assert found.tokenizer is None


def test_sdxl_sizes_come_from_the_shapes(maker: ModuleType, tmp_path: Path) -> None:
    found = read_checkpoint(maker.write_sdxl(tmp_path / "xl.safetensors"))
    assert found.family == "sdxl"
    assert found.unet.depths == (0, 1, 2)
    assert found.unet.mid_depth == 2
    assert found.unet.heads == (1, 1, 2), "64 wide heads"
    assert found.unet.linear_projection
    assert found.unet.vector == 128 + 6 * 256
    assert [t.layout for t in found.text] == ["transformers", "open_clip"]
    assert found.text[1].projection == 128


def test_metadata_states_the_native_size(maker: ModuleType, tmp_path: Path) -> None:
    path = maker.write_sd1(tmp_path / "a.safetensors", metadata={"modelspec.resolution": "128x128"})
    assert read_checkpoint(path).native_size == 128


@pytest.mark.parametrize(("image_size", "side"), [(16, 128), (64, 512), (None, 512)])
def test_yaml_beside_states_the_native_size_in_latents(
    maker: ModuleType, tmp_path: Path, image_size: int | None, side: int
) -> None:
    path = maker.write_sd1(tmp_path / "a.safetensors")
    first = {"params": {"ddconfig": {"ch_mult": [1, 2, 4, 4]}}}
    params = {"image_size": image_size, "first_stage_config": first}
    (tmp_path / "a.yaml").write_text(json.dumps({"model": {"params": params}}), "utf-8")
    assert read_checkpoint(path).native_size == side
    told = maker.write_sd1(tmp_path / "a.safetensors", metadata={"modelspec.resolution": "96x96"})
    assert read_checkpoint(told).native_size == 96, "the file itself counts more"


def test_the_demo_checkpoint_is_at_home_at_128_pixels() -> None:
    demo = Path(__file__).parents[2] / "demo" / "flipbook-demo.safetensors"
    assert read_checkpoint(demo).native_size == 128


def _yaml(version: object) -> str:
    return json.dumps({"model": {"params": {"cond_stage_config": {"params": {"version": version}}}}})


def test_yaml_beside_names_the_tokenizer(maker: ModuleType, tmp_path: Path) -> None:
    entries = maker.write_tokenizer(tmp_path / "own words")
    path = maker.write_sd1(tmp_path / "a.safetensors", vocabulary=entries)
    (tmp_path / "own words" / "config.json").write_text('{"num_attention_heads": 4, "hidden_act": "gelu"}')
    (tmp_path / "a.yaml").write_text(_yaml("own words"), "utf-8")
    found = read_checkpoint(path)
    assert found.tokenizer == tmp_path / "own words"
    assert (found.text[0].heads, found.text[0].activation) == (4, "gelu")
    tokenizer = open_tokenizer(found.tokenizer)
    ids = tokenizer.ids("Autumn  snow, in")
    vocabulary = json.loads((tmp_path / "own words" / "vocab.json").read_text("utf-8"))
    assert ids == [vocabulary[word] for word in ("autumn</w>", "snow</w>", ",</w>", "in</w>")]
    assert (tokenizer.start, tokenizer.end) == (entries - 2, entries - 1)


@pytest.mark.parametrize("version", ["openai/clip-vit-large-patch14", None])
def test_yaml_of_a_published_tokenizer_means_clips_own(
    maker: ModuleType, tmp_path: Path, version: str | None
) -> None:
    path = maker.write_sd1(tmp_path / "a.safetensors")
    (tmp_path / "a.yaml").write_text(_yaml(version), "utf-8")
    assert read_checkpoint(path).tokenizer is None


def test_yaml_that_names_no_folder_is_an_error(maker: ModuleType, tmp_path: Path) -> None:
    path = maker.write_sd1(tmp_path / "a.safetensors")
    (tmp_path / "a.yaml").write_text(_yaml("./gone"), "utf-8")
    with pytest.raises(FlipbookError, match="gone"):
        read_checkpoint(path)


def test_clips_own_tokenizer_gives_the_published_ids() -> None:
    tokenizer = open_tokenizer()
    # The example of OpenAI's and Hugging Face's documentation of CLIP, without its marks.
    assert tokenizer.ids("a photo of a cat") == [320, 1125, 539, 320, 2368]
    assert (tokenizer.start, tokenizer.end, tokenizer.comma) == (49406, 49407, 267)
    assert tokenizer.ids("") == []


def _whole(path: Path) -> Path:
    save_file({"model.diffusion_model.x": torch.zeros(4, 4)}, path)
    return path


def test_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="nowhere"):
        read_checkpoint(tmp_path / "nowhere.safetensors")


def test_truncated_file_says_how_much_is_missing(tmp_path: Path) -> None:
    path = _whole(tmp_path / "a.safetensors")
    whole = path.read_bytes()
    for kept in (len(whole) - 1, 40):
        path.write_bytes(whole[:kept])
        with pytest.raises(FlipbookError, match=f"cut off: it has {kept} bytes"):
            read_checkpoint(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"PK\x03\x04 and so on, as torch.save writes", "damaged"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "LFS"),
        (b"\xff\xd8\xff\xe0 a photograph, say", "is a JPEG picture.*expected"),
        (b"\0\0\0\x20ftypisom", "is an MP4 film.*expected"),
        (b'{"error": "Unauthorized: sign in to download"}', 'begins with "{"error": "Unauthorized'),
        (b"\x01\x02\x03\x04" * 8, "of no format that is known"),
        (struct.pack("<Q", 8) + b'{"a": 1}', "cannot be read"),
        (struct.pack("<Q", 9) + b"{nonsense", "cannot be read"),
    ],
)
def test_other_files_are_named(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    with pytest.raises(FlipbookError, match=words):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("lora_unet_mid_block_attentions_0_proj_in.lora_down.weight", "LoRA"),
        ("down_blocks.0.motion_modules.0.norm.weight", "motion module"),
        ("decoder.conv_in.weight", "VAE"),
        ("emb_params", "textual inversion"),
        ("model.diffusion_model.x", "without a text encoder"),
        ("cond_stage_model.model.ln_final.weight", "2.x"),
        ("conditioner.embedders.0.model.ln_final.weight", "an SDXL refiner"),
        ("model.diffusion_model.joint_blocks.0.context_block.mlp.fc1.weight", "a Stable Diffusion 3 model"),
        ("model.diffusion_model.double_blocks.0.img_attn.qkv.weight", "a Flux model"),
        ("double_blocks.0.img_attn.qkv.weight", "a Flux model"),
        ("control_model.input_hint_block.0.weight", "a ControlNet"),
        ("something.else", "none of its 1 tensors"),
    ],
)
def test_other_weights_are_named(tmp_path: Path, key: str, words: str) -> None:
    save_file({key: torch.zeros(2)}, tmp_path / "a.safetensors")
    with pytest.raises(FlipbookError, match=words):
        read_checkpoint(tmp_path / "a.safetensors")


def test_a_checkpoint_with_a_part_missing_names_the_part(maker: ModuleType, tmp_path: Path) -> None:
    path = maker.write_sd1(tmp_path / "a.safetensors")
    weights = load_file(path)
    del weights["model.diffusion_model.out.2.weight"]
    save_file(weights, path)
    with pytest.raises(FlipbookError, match=r"out\.2\.weight"):
        read_checkpoint(path)


def test_pickled_checkpoints_are_named_and_nothing_of_them_runs(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return exec, (f"open({str(tmp_path / 'ran')!r}, 'w')",)

    weights = {"cond_stage_model.transformer.x": torch.zeros(2), "model.diffusion_model.y": Trap()}
    for old in (False, True):
        path = tmp_path / f"{old}.ckpt"
        torch.save({"state_dict": weights}, path, _use_new_zipfile_serialization=not old)
        with pytest.raises(
            FlipbookError, match=r"1\.x checkpoint as a pickled torch file.*Checkpoint Merger"
        ):
            read_checkpoint(path)
    assert not (tmp_path / "ran").exists()


def test_zip_files_and_folders_are_named(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.safetensors", "w") as archive:
        archive.writestr("model/readme.txt", "unpack me")
    with pytest.raises(FlipbookError, match=r'zip archive that begins with "model/readme\.txt".*unpack'):
        read_checkpoint(tmp_path / "a.safetensors")
    with pytest.raises(FlipbookError, match="is a folder"):
        read_checkpoint(tmp_path)
    (tmp_path / "model_index.json").write_text("{}")
    with pytest.raises(FlipbookError, match="diffusers' layout"):
        read_checkpoint(tmp_path)


def test_a_file_that_may_not_be_read_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _whole(tmp_path / "a.safetensors")

    def refused(*given: object, **named: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(FlipbookError, match="cannot be read: Permission denied"):
        read_checkpoint(path)


@given(st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_table_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    path = _whole(tmp_path / "a.safetensors")
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    with suppress(FlipbookError):
        header = read_header(path)
        assert all(isinstance(side, int) for entry in header.tensors.values() for side in entry.shape)


@pytest.mark.parametrize("mark", ["v_pred", "edm_vpred.sigma_max", None])
def test_checkpoints_that_predict_velocities_are_refused(
    maker: ModuleType, tmp_path: Path, mark: str | None
) -> None:
    path = maker.write_sd1(tmp_path / "a.safetensors")
    metadata = {} if mark else {"modelspec.prediction_type": "v"}
    weights = load_file(path) | ({mark: torch.zeros(1)} if mark else {})
    save_file(weights, path, metadata)
    with pytest.raises(FlipbookError, match="velocities"):
        read_checkpoint(path)

"""sentence-transformers folders: what the library would give, or a refusal that says why."""

import json
from pathlib import Path

import pytest

from bertfast.errors import ConfigError, ExportError
from bertfast.onnx.sentence_transformers import read_sentence_transformer
from tests.onnx.conftest import edit_json
from tests.small_bert import random_variables, small_config, write_sentence_transformer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_sentence_transformer(tmp_path, small_config(), random_variables(small_config()))


def obstacle(folder: Path) -> str | None:
    library = read_sentence_transformer(folder)
    assert library is not None
    return library.obstacle


def write_modules(folder: Path, *modules: tuple[str, str]) -> None:
    entries = [{"type": kind, "path": path} for path, kind in modules]
    (folder / "modules.json").write_text(json.dumps(entries))


def test_sentence_transformer_of_mean_and_norm_has_no_obstacle(folder: Path) -> None:
    library = read_sentence_transformer(folder)
    assert library is not None
    assert library.transformer_folder == folder
    assert (library.max_seq_length, library.lowers_text, library.obstacle) == (32, False, None)


def test_sentence_transformer_is_known_by_its_modules(tmp_path: Path) -> None:
    assert read_sentence_transformer(tmp_path) is None


def test_sentence_transformer_of_newer_names_and_keys_is_read(folder: Path) -> None:
    base = "sentence_transformers.sentence_transformer.modules"
    write_modules(
        folder,
        ("", f"{base}.transformer.Transformer"),
        ("1_Pooling", f"{base}.pooling.Pooling"),
        ("2_Normalize", f"{base}.normalize.Normalize"),
    )
    pooling = folder / "1_Pooling" / "config.json"
    pooling.write_text(json.dumps({"embedding_dimension": 24, "pooling_mode": "mean"}))
    assert obstacle(folder) is None
    pooling.write_text(json.dumps({"pooling_mode": "cls"}))
    assert obstacle(folder) == "it pools by cls"
    pooling.write_text(json.dumps({"pooling_mode": ["mean", "max"]}))
    assert obstacle(folder) == "it pools by mean and max"


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "cls"),
        ({"pooling_mode_max_tokens": True}, "mean and max"),
        ({"pooling_mode_mean_tokens": False}, "nothing"),
        (
            {"pooling_mode_mean_tokens": False, "pooling_mode_mean_sqrt_len_tokens": True},
            "mean_sqrt_len",
        ),
    ],
)
def test_sentence_transformer_of_other_pooling_names_it(
    folder: Path, flags: dict[str, bool], expected: str
) -> None:
    edit_json(folder / "1_Pooling" / "config.json", **flags)
    assert obstacle(folder) == f"it pools by {expected}"


def test_sentence_transformer_of_other_modules_names_them(folder: Path) -> None:
    write_modules(folder, ("", "m.Transformer"), ("1_Pooling", "m.Pooling"))
    assert obstacle(folder) == "it does not normalise its embeddings"
    write_modules(folder, ("", "m.Transformer"), ("1_Pooling", "m.Pooling"), ("2_Dense", "m.Dense"))
    assert obstacle(folder) == "its modules are Transformer, Pooling, Dense"
    write_modules(folder, ("", "m.WordEmbeddings"), ("1_Pooling", "m.Pooling"))
    with pytest.raises(ExportError, match="begins with WordEmbeddings"):
        read_sentence_transformer(folder)


def test_sentence_transformer_with_a_default_prompt_names_it(folder: Path) -> None:
    path = folder / "config_sentence_transformers.json"
    path.write_text(json.dumps({"prompts": {"query": "query: "}, "default_prompt_name": None}))
    assert obstacle(folder) is None
    edit_json(path, default_prompt_name="query")
    assert obstacle(folder) == "it puts the prompt 'query' before every text"


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", "[3]", '[{"type": "m.Transformer"}]', '[{"path": ""}]', "[[[["]
)
def test_sentence_transformer_of_bad_modules_is_refused(folder: Path, content: str) -> None:
    (folder / "modules.json").write_text(content)
    with pytest.raises(ConfigError, match=r"modules\.json (is not a list|lists no)"):
        read_sentence_transformer(folder)


@pytest.mark.parametrize("path", ["../other", "/etc", "a/../../b"])
def test_sentence_transformer_cannot_leave_its_folder(folder: Path, path: str) -> None:
    write_modules(folder, (path, "m.Transformer"))
    with pytest.raises(ConfigError, match="which is not inside"):
        read_sentence_transformer(folder)


def test_sentence_transformer_without_pooling_config_is_named(folder: Path) -> None:
    (folder / "1_Pooling" / "config.json").unlink()
    with pytest.raises(ConfigError, match=r"cannot read .*1_Pooling"):
        read_sentence_transformer(folder)


def test_sentence_transformer_in_a_subfolder_is_found(folder: Path) -> None:
    below = folder / "0_Transformer"
    below.mkdir()
    (folder / "sentence_bert_config.json").rename(below / "sentence_bert_config.json")
    modules = ("0_Transformer", "m.Transformer"), ("1_Pooling", "m.Pooling")
    write_modules(folder, *modules)
    library = read_sentence_transformer(folder)
    assert library is not None
    assert (library.transformer_folder, library.max_seq_length) == (below, 32)

"""What a sentence-transformers folder asks for: its `modules.json` and what that names."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from bertfast.config import read_json_object
from bertfast.errors import ConfigError, ExportError
from bertfast.files import read_limited

MODULES_FILE = "modules.json"

_MAX_FILE_BYTES = 1 << 20
_WANTED = ["Transformer", "Pooling", "Normalize"]


@dataclass(frozen=True, slots=True)
class SentenceTransformer:
    """A sentence-transformers folder.

    `obstacle` says why our mean_embedding would not be what the library gives, if so.
    """

    transformer_folder: Path
    max_seq_length: int | None
    lowers_text: bool
    obstacle: str | None


def read_sentence_transformer(folder: Path) -> SentenceTransformer | None:
    """Read the folder's modules; None if it is not a sentence-transformers folder.

    Raises:
        ExportError: malformed, or does not begin with a transformer.
        ConfigError: one of its JSON files is malformed.
    """
    path = folder / MODULES_FILE
    if not path.is_file():
        return None
    modules = _read_modules(path)
    kinds = [kind for kind, _ in modules]
    if kinds[0] != "Transformer":
        raise ExportError(f"{path} begins with {kinds[0]}; only Transformer models are BERTs")
    transformer = folder / modules[0][1]
    settings_path = transformer / "sentence_bert_config.json"
    settings = read_json_object(settings_path) if settings_path.is_file() else {}
    length = settings.get("max_seq_length")
    return SentenceTransformer(
        transformer_folder=transformer,
        max_seq_length=length if isinstance(length, int) else None,
        lowers_text=bool(settings.get("do_lower_case")),
        obstacle=_module_obstacle(folder, modules) or _prompt_obstacle(folder),
    )


def _read_modules(path: Path) -> list[tuple[str, str]]:
    """Return (kind, folder) of each module, such as ("Pooling", "1_Pooling")."""
    try:
        entries = json.loads(read_limited(path, _MAX_FILE_BYTES).decode("utf-8"))
        modules = [(str(entry["type"]).rpartition(".")[2], str(entry["path"])) for entry in entries]
    except OSError as error:
        raise ExportError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ConfigError(f"{path} is not a list of modules with type and path") from error
    if not modules:
        raise ConfigError(f"{path} lists no modules")
    for _, folder in modules:
        if PurePosixPath(folder).is_absolute() or ".." in PurePosixPath(folder).parts:
            raise ConfigError(f"{path} names {folder!r}, which is not inside the model's folder")
    return modules


def _module_obstacle(folder: Path, modules: list[tuple[str, str]]) -> str | None:
    kinds = [kind for kind, _ in modules]
    for kind, path in modules:
        if kind == "Pooling":
            modes = _pooling_modes(read_json_object(folder / path / "config.json"))
            if modes != ["mean"]:
                return f"it pools by {' and '.join(modes) or 'nothing'}"
    if kinds == _WANTED[:2]:
        return "it does not normalise its embeddings"
    return None if kinds == _WANTED else f"its modules are {', '.join(kinds)}"


def _prompt_obstacle(folder: Path) -> str | None:
    path = folder / "config_sentence_transformers.json"
    name = read_json_object(path).get("default_prompt_name") if path.is_file() else None
    return f"it puts the prompt {name!r} before every text" if name else None


def _pooling_modes(config: Mapping[str, Any]) -> list[str]:
    """Return the modes that are on, by the names of newer configurations ("mean", "cls").

    >>> _pooling_modes({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False})
    ['cls']
    """
    mode = config.get("pooling_mode")
    if mode is not None:
        return [str(item) for item in mode] if isinstance(mode, list) else [str(mode)]
    prefix = "pooling_mode_"
    flags = [key.removeprefix(prefix) for key, on in config.items() if on and prefix in key]
    return [flag.removesuffix("_tokens").removesuffix("_token") for flag in flags]

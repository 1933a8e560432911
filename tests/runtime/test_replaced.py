"""What a Predictor does when its model or its rows go wrong behind its back."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bertfast.errors import BundleError
from bertfast.models import default_bundle_path
from bertfast.runtime import Predictor


# The copy is not the embedded model any more, and another interpreter may have another Unicode.
@pytest.mark.filterwarnings("ignore:.* was exported under Unicode:RuntimeWarning")
def test_model_replaced_before_it_is_opened_is_refused(tmp_path: Path) -> None:
    for file in default_bundle_path().iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    predictor = Predictor(tmp_path)
    assert predictor.predict_labels(["guten Tag"]) == ["de"]
    predictor.close()
    manifest = json.loads((tmp_path / "bertfast.json").read_text())
    manifest["labels"] = manifest["labels"][::-1]
    (tmp_path / "bertfast.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match="was replaced since it was loaded"):
        predictor.predict_labels(["guten Tag"])


def test_windows_before_rows_that_fail_are_yielded() -> None:
    def rows() -> Iterator[str]:
        yield from ["guten Tag"] * 25
        raise LookupError("no more rows")

    seen: list[object] = []
    with pytest.raises(LookupError, match="no more rows"):
        for vector in Predictor().predict_iter(rows(), window=10):
            seen.append(vector)
    assert len(seen) == 20

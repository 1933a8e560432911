"""Write predictions as Parquet.

label            string
probability      float
probabilities    struct<neg: float, pos: float>   (logits alike)
embedding        fixed_size_list<float>[width]; a list of them for sequence_output

Each window is a row group. Kept columns come first.
"""

from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np

from bertfast.jobs.cells import Cells
from bertfast.jobs.fields import Prediction
from bertfast.jobs.streams import import_parquet, import_pyarrow
from bertfast.runtime.loaded import SEQUENCE_OUTPUT, FloatArray, Values


class ParquetWriter:
    """Writes to an open stream; `finish` writes the index at the file's end."""

    def __init__(
        self,
        stream: BinaryIO,
        prediction: Prediction,
        kept_names: Sequence[str],
        kept_types: Sequence[Any] | None,
    ) -> None:
        """Begin the file; `kept_types` are Arrow types, None means strings.

        Raises:
            MissingDependencyError: pyarrow is not installed.
        """
        self._pa = import_pyarrow("Parquet")
        types = kept_types or [self._pa.string()] * len(kept_names)
        fields = [self._pa.field(*pair) for pair in zip(kept_names, types, strict=True)]
        self._n_kept = len(fields)
        fields += [
            self._pa.field(name, self._type(field, prediction))
            for field, name in zip(prediction.fields, prediction.names, strict=True)
        ]
        self._schema = self._pa.schema(fields)
        self._prediction = prediction
        self._file = import_parquet().ParquetWriter(stream, self._schema, compression="zstd")

    def write(self, values: Values, kept: Sequence[Cells] = ()) -> None:
        """Append rows as a row group."""
        if not len(values):
            return
        types = [field.type for field in self._schema][: self._n_kept]
        columns = list(zip(*kept, strict=True)) if kept else []
        arrays = [self._pa.array(column, kind) for column, kind in zip(columns, types, strict=True)]
        arrays += self._predicted(values)
        self._file.write_table(self._pa.Table.from_arrays(arrays, schema=self._schema))

    def finish(self) -> None:
        """Write the index."""
        self._file.close()

    def _type(self, field: str, prediction: Prediction) -> Any:
        pa = self._pa
        if field == "label":
            return pa.string()
        if field == "probability":
            return pa.float32()
        if field == "embedding":
            vector = pa.list_(pa.float32(), prediction.width)
            return pa.list_(vector) if prediction.output == SEQUENCE_OUTPUT else vector
        return pa.struct([(label, pa.float32()) for label in prediction.label_names])

    def _predicted(self, values: Values) -> list[Any]:
        if not self._prediction.is_classifier:
            return [self._vectors(values)]
        scores = self._prediction.scores(values)
        return [self._column(field, scores) for field in self._prediction.fields]

    def _column(self, field: str, scores: FloatArray) -> Any:
        pa, names = self._pa, self._prediction.label_names
        if field == "label":
            return pa.array([names[best] for best in scores.argmax(axis=1).tolist()], pa.string())
        if field == "probability":
            return pa.array(scores.max(axis=1), pa.float32())
        columns = [pa.array(np.ascontiguousarray(column)) for column in scores.T]
        return pa.StructArray.from_arrays(columns, list(names))

    def _vectors(self, values: Values) -> Any:
        pa, width = self._pa, self._prediction.width
        if isinstance(values, np.ndarray):
            flat = self._prediction.scores(values).reshape(-1)
            return pa.FixedSizeListArray.from_arrays(pa.array(flat), width)
        tokens = self._prediction.scores(np.concatenate(values))
        vectors = pa.FixedSizeListArray.from_arrays(pa.array(tokens.reshape(-1)), width)
        offsets = np.cumsum([0, *(len(row) for row in values)]).astype(np.int32)
        return pa.ListArray.from_arrays(pa.array(offsets), vectors)

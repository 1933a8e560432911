"""What a job did."""

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class JobSummary:
    r"""What a finished job did: `rows_in == rows_out + rows_rejected`.

    Attributes:
        rows_in: rows read, by this run and those that it resumed.
        rows_out: rows predicted and written.
        rows_rejected: the others; file, line and reason of each are in `rejects`.
        rows_resumed: rows that earlier runs had done already.
        tokens: of the predicted rows, special ones included and padding not.
        rows_truncated: predicted rows that were longer than the model takes.
        parts: parts written, by all runs.
        seconds: from this run's first row read to its last one written.
        output: the file or folder, "-" for standard output.
        rejects: the rejects' file (a pattern, where the output is a folder), or None.

    Example:
        >>> import pathlib, tempfile
        >>> from bertfast.jobs import predict_files
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> _ = (folder / "texts.txt").write_text("Guten Morgen!\ngood morning\n")
        >>> summary = predict_files(folder / "texts.txt", folder / "languages.tsv")
        >>> summary.rows_in, summary.rows_out, summary.rows_rejected
        (2, 2, 0)
    """

    rows_in: int
    rows_out: int
    rows_rejected: int
    rows_resumed: int
    tokens: int
    rows_truncated: int
    parts: int
    seconds: float
    output: str
    rejects: str | None

    @property
    def rows_per_second(self) -> float:
        """The rate of this run."""
        return (self.rows_in - self.rows_resumed) / max(self.seconds, 1e-9)

    def to_json(self) -> str:
        """Return one line of JSON."""
        return json.dumps(asdict(self) | {"rows_per_second": round(self.rows_per_second, 3)})

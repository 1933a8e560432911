"""Batch prediction over files."""

from bertfast.jobs.columns import Column as Column
from bertfast.jobs.columns import Columns as Columns
from bertfast.jobs.predict import JobSummary as JobSummary
from bertfast.jobs.predict import predict_file as predict_file

"""Batch prediction over files, resumed where it was interrupted."""

from bertfast.jobs.columns import Column as Column
from bertfast.jobs.columns import Columns as Columns
from bertfast.jobs.predict import JobOptions as JobOptions
from bertfast.jobs.predict import plan_job as plan_job
from bertfast.jobs.predict import predict_files as predict_files
from bertfast.jobs.summary import JobSummary as JobSummary

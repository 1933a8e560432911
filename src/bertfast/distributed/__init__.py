"""Prediction on clusters: Spark and Ray Data, over one picklable factory."""

from bertfast.distributed.factory import PredictorFactory as PredictorFactory

"""BERT in TensorFlow 2: the model, its training and its data.

Importing this package does not import TensorFlow; its modules that need it do.
"""

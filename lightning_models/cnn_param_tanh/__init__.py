"""CNNParamTanh: a variational autoencoder as generator, whose last layer is a tanh of learned steepness."""

from lightning_models.cnn_param_tanh.module import CNNParamTanh

__all__ = ["CNNParamTanh"]

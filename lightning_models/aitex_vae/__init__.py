"""AitexVAE: finds defects in fabric by what a variational autoencoder cannot reconstruct."""

from lightning_models.aitex_vae.module import AitexVAE

__all__ = ["AitexVAE"]

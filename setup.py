"""The experiments lie at the top of the repository, where people look for them, and in the package once installed."""

from setuptools import find_namespace_packages, find_packages, setup

OVERLAYS = [f"fulgurite.experiments.{folder}" for folder in find_namespace_packages("experiments")]

setup(
    packages=[
        *find_packages(include=["fulgurite*", "lightning_models*", "callbacks*", "datamodules*"]),
        "fulgurite.experiments",
        *OVERLAYS,
    ],
    package_dir={"fulgurite.experiments": "experiments"},
    package_data={"": ["*.yaml"], "fulgurite.pages": ["templates/*"]},
)

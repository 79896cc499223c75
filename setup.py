"""The experiments lie at the top of the repository, where people look for them, and in the package once installed."""

from setuptools import find_packages, setup

setup(
    packages=[
        *find_packages(include=["fulgurite*", "lightning_models*", "callbacks*", "datamodules*"]),
        "fulgurite.experiments",
    ],
    package_dir={"fulgurite.experiments": "experiments"},
    package_data={"fulgurite.experiments": ["**/*.yaml"]},
)

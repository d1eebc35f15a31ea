"""The heads without transposed convolutions answer what those answer."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from smplerx_ros.backbones.smpler_x import heads  # noqa: E402
from smplerx_ros.backbones.smpler_x.network import fuse_norms  # noqa: E402
from smplerx_ros.backbones.smpler_x.ops import sample_features  # noqa: E402
from smplerx_ros.backbones.smpler_x.winograd import FastBoxNet, FastHandRoiNet  # noqa: E402

DIM, CHANNELS, BATCH = 24, 16, 3


@pytest.fixture
def trained():
    """A head as after training: its norms do something."""

    def make(head):
        torch.manual_seed(0)
        for norm in (module for module in head.modules() if isinstance(module, torch.nn.BatchNorm2d)):
            torch.nn.init.uniform_(norm.weight, 0.5, 2.0)
            torch.nn.init.normal_(norm.bias)
            torch.nn.init.normal_(norm.running_mean)
            torch.nn.init.uniform_(norm.running_var, 0.5, 2.0)
        fuse_norms(head.eval())
        return head

    return make


@torch.inference_mode()
def test_boxes_are_those_of_the_box_net(trained) -> None:
    plain = trained(heads.BoxNet(DIM, CHANNELS))
    plain.bbox_center[0].weight *= 30  # sharp maps: their centres are all over the crop
    fast = FastBoxNet(plain)
    feature, heatmap = torch.randn(BATCH, DIM, 16, 12), torch.rand(BATCH, 25, 16, 16, 12)
    wanted, found = plain(feature, heatmap), fast(feature, heatmap)
    assert wanted[0].std() > 0.5
    for one, other in zip(wanted, found, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_hands_get_the_same_features(trained) -> None:
    plain = trained(heads.HandRoiNet(DIM))
    boxes = torch.tensor([[20.0, 30.0, 90.0, 100.0], [-40.0, -10.0, 300.0, 280.0], [150.0, 90.0, 120.0, 60.0]])
    feature = torch.randn(BATCH, DIM, 16, 12)
    wanted = plain(feature, boxes, boxes.flip(0))
    torch.testing.assert_close(FastHandRoiNet(plain)(feature, boxes, boxes.flip(0)), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("point", [(0.0, 0.0), (95.0, 127.0), (3.25, 100.75), (94.5, 0.5)])
@torch.inference_mode()
def test_samples_are_those_of_the_ordered_map(trained, point) -> None:
    plain = trained(heads.BoxNet(DIM, CHANNELS))
    fast = FastBoxNet(plain)
    maps, points = torch.randn(BATCH, DIM + 400, 16, 12), torch.tensor(point).expand(BATCH, 2, 2)
    found = fast.sample(fast.last(fast.upsamplings(maps)), points)
    torch.testing.assert_close(found, sample_features(plain.deconv(maps), points), rtol=1e-4, atol=1e-5)


@torch.inference_mode()
def test_a_crop_of_nan_spoils_no_other(trained) -> None:
    fast = FastBoxNet(trained(heads.BoxNet(DIM, CHANNELS)))
    feature, heatmap = torch.randn(BATCH, DIM, 16, 12), torch.rand(BATCH, 25, 16, 16, 12)
    wanted = fast(feature, heatmap)
    feature[1] = torch.nan
    for one, other in zip(wanted, fast(feature, heatmap), strict=True):
        assert other[1].isnan().all()
        torch.testing.assert_close(other[[0, 2]], one[[0, 2]])

"""Fast Fourier convolution (Chi et al., NeurIPS 2020), as LaMa uses it (arXiv 2109.07161, section 2.1).

A layer keeps local and global channels. Both are convolved; global ones also pass a spectral transform, whose Fourier
unit mixes the channels of every frequency by one matrix, so that each place depends on the whole map.

The 2C planes of a Fourier unit are [all real parts; all imaginary parts]. (Public programs interleave them channel by
channel: the same up to a permutation of rows and columns, which an importer makes once.)
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint.nn import winograd
from inpaint.nn.batch_norm import ConvNorm, learns, scale_and_shift
from inpaint.nn.inference import Prepared
from inpaint.nn.padding import PaddedConv2d, pad
from inpaint.nn.plain import HasPlainForm


def spectrum(x: Tensor) -> Tensor:
    """Return the half spectrum of x (B, C, H, W), orthonormal: (B, 2C, H, W // 2 + 1), real parts, then imaginary."""
    z = torch.fft.rfft2(x.contiguous(), norm="ortho")
    return torch.cat((z.real, z.imag), dim=1)


def from_spectrum(planes: Tensor, height: int, width: int) -> Tensor:
    """Return the real map (B, C, H, W) of a half spectrum (B, 2C, H, W // 2 + 1), orthonormal.

    Planes of no real map are taken as they come: along the height each column is transformed as complex numbers, then
    along the width what stands for real numbers, so that imaginary parts of the first column (and of the last, for an
    even width) are lost.
    """
    real, imaginary = planes.contiguous().chunk(2, dim=1)
    x: Tensor = torch.fft.irfft2(torch.complex(real, imaginary), s=(height, width), norm="ortho")
    return x


def plain_spectrum(x: Tensor) -> Tensor:
    """Return what `spectrum` does by products with matrices that are made from the size, a form for exported graphs.

    Every operator for transforms that graphs know fixes its size when it is exported, or fails at another one.
    """
    height, width = x.shape[-2:]
    cosine, sine = _waves(width, width // 2 + 1, like=x)
    planes = torch.cat((x @ cosine, x @ -sine), dim=1)  # (B, 2C, H, W // 2 + 1)
    cosine, sine = _waves(height, height, like=x)
    real, imaginary = (cosine @ planes).chunk(2, dim=1)
    sine_real, sine_imaginary = (sine @ planes).chunk(2, dim=1)
    return torch.cat((real + sine_imaginary, imaginary - sine_real), dim=1)


def from_plain_spectrum(planes: Tensor, height: int, width: int) -> Tensor:
    """Return what `from_spectrum` does by products with matrices."""
    cosine, sine = _waves(height, height, like=planes)
    real, imaginary = (cosine @ planes).chunk(2, dim=1)
    sine_real, sine_imaginary = (sine @ planes).chunk(2, dim=1)
    real, imaginary = real - sine_imaginary, imaginary + sine_real  # (B, C, H, W // 2 + 1)
    cosine, sine = _waves(width, width // 2 + 1, like=planes)
    frequency = torch.arange(width // 2 + 1, device=planes.device)
    # Frequencies that stand for their mirror image, too, count twice.
    weight = 2.0 - (frequency == 0).to(planes) - (2 * frequency == width).to(planes)
    return (real * weight) @ cosine.T - (imaginary * weight) @ sine.T


def _waves(size: int, frequencies: int, *, like: Tensor) -> tuple[Tensor, Tensor]:
    """Return cosine and sine of 2 pi j k / size for places j and frequencies k, over the root of size: (size, ...)."""
    place = torch.arange(size, device=like.device).to(like)
    turns = place[:, None] * place[:frequencies]
    # Whole turns are taken out while numbers are exact: rounded angles of many turns would spoil the sine.
    turns = turns - size * torch.floor(turns / size)
    angle = turns * (2 * math.pi) / size
    norm = torch.ones_like(place).sum().rsqrt()
    return angle.cos() * norm, angle.sin() * norm


def mixed_planes(x: Tensor, kernel: Tensor, shift: Tensor | None) -> Tensor:
    """Return a 1 x 1 convolution of x (B, C, H, W), of any order in memory, with channels first: (B, O, H, W)."""
    assert shift is not None
    matrix = kernel.flatten(1).expand(len(x), -1, -1)  # (B, O, C)
    return torch.baddbmm(shift.view(-1, 1), matrix, x.flatten(2)).view(len(x), -1, *x.shape[-2:])


class FourierUnit(HasPlainForm):
    """One matrix for the real and imaginary parts of all channels, the same at every frequency; batch norm; ReLU.

    Computed in float32 at least, also inside autocast: half precision has no transform for most sizes, and the lowest
    frequency grows with the size of the map.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mix = ConvNorm(nn.Conv2d(2 * channels, 2 * channels, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, C, H, W) to (B, C, H, W)."""
        with torch.autocast(x.device.type, enabled=False):
            forth, back = (plain_spectrum, from_plain_spectrum) if self.plain else (spectrum, from_spectrum)
            planes = forth(x.to(torch.promote_types(x.dtype, torch.float32)))
            mixed = self.mix.exactly(planes)
            return back(mixed, x.shape[-2], x.shape[-1]).to(x.dtype)


class LocalFourierUnit(nn.Module):
    """A Fourier unit on the quarters of the map: of the first quarter of the channels; sides must be even.

    The quarters (top left, bottom left, top right, bottom right) become channels, and the answer is repeated 2 x 2.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.unit = FourierUnit(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, C, H, W) to (B, C, H, W)."""
        part = x[:, : x.shape[1] // 4]
        part = torch.cat(part.chunk(2, dim=-2), dim=1)  # (B, C / 2, H / 2, W)
        part = torch.cat(part.chunk(2, dim=-1), dim=1)  # (B, C, H / 2, W / 2)
        mixed: Tensor = self.unit(part)
        return mixed.repeat(1, 1, 2, 2)


class SpectralTransform(nn.Module):
    """Fewer channels, then a Fourier unit beside an identity, then all channels: without bias and norm at the end.

    Args:
        inputs: Channels that come in.
        outputs: Channels that go out; half as many between.
        local: Add a Fourier unit on the quarters of the map.
    """

    def __init__(self, inputs: int, outputs: int, *, local: bool = False) -> None:
        super().__init__()
        self.reduce = ConvNorm(nn.Conv2d(inputs, outputs // 2, 1, bias=False))
        self.unit = FourierUnit(outputs // 2)
        self.local_unit = LocalFourierUnit(outputs // 2) if local else None
        self.expand = nn.Conv2d(outputs // 2, outputs, 1, bias=False)

    def between(self, x: Tensor) -> Tensor:
        """Return what the last convolution reads, (B, outputs / 2, H, W)."""
        reduced: Tensor = self.reduce(x)
        y: Tensor = reduced + self.unit(reduced)
        return y if self.local_unit is None else y + self.local_unit(reduced)

    def folded(self, x: Tensor, kernel: Tensor, shift: Tensor) -> Tensor:
        """Map x as `forward` does with another last convolution: kernel (outputs, outputs / 2, 1, 1), shift (outputs,).

        Without gradients on a CPU, channels stay last in memory outside and first inside, where the Fourier transform
        wants them: matrix products read either order, so that nothing is copied from one into the other.
        """
        if self.unit.plain or not winograd.pays_for(x) or self.reduce.kernel is None or self.unit.mix.kernel is None:
            return F.conv2d(self.between(x), kernel, shift)
        height, width = x.shape[-2:]
        reduced = mixed_planes(x, self.reduce.kernel, self.reduce.shift).relu_()
        mixed = mixed_planes(spectrum(reduced), self.unit.mix.kernel, self.unit.mix.shift).relu_()
        y = from_spectrum(mixed, height, width).add_(reduced)
        if self.local_unit is not None:
            y += self.local_unit(reduced)
        rows: Tensor = torch.matmul(y.flatten(2).mT, kernel.flatten(1).T)  # (B, H W, outputs)
        return rows.add_(shift).view(len(x), height, width, -1).permute(0, 3, 1, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, inputs, H, W) to (B, outputs, H, W)."""
        expanded: Tensor = self.expand(self.between(x))
        return expanded


class FourierConv(Prepared):
    """A fast Fourier convolution of 3 x 3 with batch norm and ReLU on both kinds of channels; borders are mirrored.

    local' = relu(norm(local_to_local(local) + global_to_local(global)))
    global' = relu(norm(local_to_global(local) + spectral(global)))

    Args:
        inputs: Local and global channels that come in; there may be no global ones.
        outputs: Local and global channels that go out.
        stride: 1, or 2 without global inputs.
        local_unit: Of the spectral transform.
    """

    prepared = ("kernel_local", "kernel_global", "kernel_spectral", "shift", "factors_local", "factors_global")

    def __init__(
        self, inputs: tuple[int, int], outputs: tuple[int, int], *, stride: int = 1, local_unit: bool = False
    ) -> None:
        super().__init__()
        if inputs[1] and stride != 1:
            raise ValueError(f"stride={stride} needs inputs without global channels, got {inputs}")

        def conv(before: int, after: int) -> PaddedConv2d:
            return PaddedConv2d(before, after, 3, stride=stride, padding="reflect", bias=False)

        self.stride = stride
        self.local_to_local = conv(inputs[0], outputs[0])
        self.local_to_global = conv(inputs[0], outputs[1])
        self.global_to_local = conv(inputs[1], outputs[0]) if inputs[1] else None
        self.spectral = SpectralTransform(inputs[1], outputs[1], local=local_unit) if inputs[1] else None
        self.local_norm, self.global_norm = nn.BatchNorm2d(outputs[0]), nn.BatchNorm2d(outputs[1])
        self.kernel_local: Tensor | None
        self.kernel_global: Tensor | None
        self.kernel_spectral: Tensor | None
        self.shift: Tensor | None
        self.factors_local: Tensor | None
        self.factors_global: Tensor | None
        for name in self.prepared:
            self.register_buffer(name, None, persistent=False)

    def forward(self, x: Tensor, x_global: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Map local x (B, C, H, W) and global channels, where there are any, to the next two."""
        if self.kernel_local is not None and not learns(self):
            local, beyond = self._folded(x, x_global)
        else:
            local, beyond = self.local_to_local(x), self.local_to_global(x)
            if x_global is not None:
                assert self.global_to_local is not None
                assert self.spectral is not None
                local, beyond = local + self.global_to_local(x_global), beyond + self.spectral(x_global)
            local, beyond = self.local_norm(local), self.global_norm(beyond)
        inplace = not torch.is_grad_enabled()
        return F.relu(local, inplace=inplace), F.relu(beyond, inplace=inplace)

    def _folded(self, x: Tensor, x_global: Tensor | None) -> tuple[Tensor, Tensor]:
        assert self.shift is not None
        assert self.kernel_local is not None
        outputs = [self.local_to_local.out_channels, self.local_to_global.out_channels]
        if x_global is None:
            both = F.conv2d(pad(x, (1, 1, 1, 1), mode="reflect"), self.kernel_local, self.shift, self.stride)
            local, beyond = torch.split(both, outputs, dim=1)
            return local, beyond
        shift_local, shift_global = torch.split(self.shift, outputs)
        local, beyond = (self._by_tiles if winograd.pays_for(x) else self._by_kernels)(x, x_global)
        assert self.spectral is not None
        assert self.kernel_spectral is not None
        through = self.spectral.folded(x_global, self.kernel_spectral, shift_global)
        if torch.is_grad_enabled():
            return local + shift_local.view(-1, 1, 1), through + beyond
        return local.add_(shift_local.view(-1, 1, 1)), through.add_(beyond)  # fresh memory costs more than the sums

    def _by_kernels(self, x: Tensor, x_global: Tensor) -> tuple[Tensor, Tensor]:
        """Return what both convolve to, local and global."""
        assert self.kernel_local is not None
        assert self.kernel_global is not None
        x, x_global = (pad(each, (1, 1, 1, 1), mode="reflect") for each in (x, x_global))
        both = F.conv2d(x, self.kernel_local)
        local, beyond = torch.split(both, [self.local_to_local.out_channels, self.local_to_global.out_channels], dim=1)
        return local + F.conv2d(x_global, self.kernel_global), beyond

    def _by_tiles(self, x: Tensor, x_global: Tensor) -> tuple[Tensor, Tensor]:
        """Return the same with fewer multiplications, see `winograd`."""
        to_local, to_global = self._factors()
        tiles, size = winograd.transformed_tiles((x, x_global)), (len(x), *x.shape[-2:])
        local = winograd.outputs(tiles @ to_local, size)
        beyond = winograd.outputs(tiles[..., : x.shape[1]] @ to_global, size)
        return local, beyond

    def _factors(self) -> tuple[Tensor, Tensor]:
        """Return the transformed kernels to local and global channels.

        They are computed once, and only where they are used: they take 4 times the memory of the kernels.
        """
        if self.factors_local is None or self.factors_global is None:
            assert self.kernel_local is not None
            assert self.kernel_global is not None
            count = self.local_to_local.out_channels
            with torch.inference_mode(False), torch.no_grad():
                to_local = torch.cat((self.kernel_local[:count], self.kernel_global), dim=1)
                self.factors_local = winograd.transformed_kernels(to_local)
                self.factors_global = winograd.transformed_kernels(self.kernel_local[count:])
        return self.factors_local, self.factors_global

    @torch.no_grad()
    def prepare_for_inference(self) -> None:
        """Fold both batch norms into the kernels; those of the local channels' two outputs become one."""
        local, local_shift = scale_and_shift(self.local_norm)
        beyond, beyond_shift = scale_and_shift(self.global_norm)

        def scaled(layer: nn.Conv2d, scale: Tensor) -> Tensor:
            return layer.weight.double() * scale.view(-1, 1, 1, 1)

        def ready(kernel: Tensor) -> Tensor:
            return kernel.to(self.local_to_local.weight).contiguous(memory_format=torch.channels_last)

        self.kernel_local = ready(torch.cat((scaled(self.local_to_local, local), scaled(self.local_to_global, beyond))))
        self.shift = torch.cat((local_shift, beyond_shift)).to(self.local_to_local.weight)
        if self.global_to_local is not None and self.spectral is not None:
            self.factors_local = self.factors_global = None
            self.kernel_global = ready(scaled(self.global_to_local, local))
            self.kernel_spectral = ready(scaled(self.spectral.expand, beyond))

"""Transposed convolutions of published models, read in the sources named.

A row is (in, out, kernel, stride, padding, output padding, groups, bias, input size, output size); an integer stands
for every axis, dilation is 1 throughout. Channels are those of the published default configuration; the input size
is a small representative one, and the output size is what the model's own rule says (2n, 256n + 768, 5n - 1, ...).
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

PerAxis: TypeAlias = "int | tuple[int, ...]"


class Row(NamedTuple):
    """One layer as the model's source writes it."""

    in_channels: int
    out_channels: int
    kernel_size: PerAxis
    stride: PerAxis
    padding: PerAxis
    output_padding: PerAxis
    groups: int
    bias: bool
    input_size: PerAxis
    output_size: PerAxis


class Entry(NamedTuple):
    """One model: its number in the table of sources, its name, its source, the number of axes, its layers."""

    number: int
    name: str
    source: str
    ndim: int
    rows: tuple[tuple[int, int, PerAxis, PerAxis, PerAxis, PerAxis, int, bool, PerAxis, PerAxis], ...]


B, NB = True, False

ENTRIES = (
    Entry(1, "DCGAN generator", "pytorch/examples[77f55b9] dcgan/main.py", 2, (
        (100, 512, 4, 1, 0, 0, 1, NB, 1, 4),
        (512, 256, 4, 2, 1, 0, 1, NB, 4, 8),
        (256, 128, 4, 2, 1, 0, 1, NB, 8, 16),
        (128, 64, 4, 2, 1, 0, 1, NB, 16, 32),
        (64, 3, 4, 2, 1, 0, 1, NB, 32, 64),
    )),
    Entry(2, "U-Net", "milesial/Pytorch-UNet[21d7850] unet/unet_parts.py", 2, (
        (1024, 512, 2, 2, 0, 0, 1, B, 4, 8),
        (512, 256, 2, 2, 0, 0, 1, B, 8, 16),
        (256, 128, 2, 2, 0, 0, 1, B, 16, 32),
        (128, 64, 2, 2, 0, 0, 1, B, 16, 32),
    )),
    Entry(3, "HiFi-GAN V1", "jik876/hifi-gan[4769534] models.py, config_v1.json", 1, (
        (512, 256, 16, 8, 4, 0, 1, B, 4, 32),
        (256, 128, 16, 8, 4, 0, 1, B, 8, 64),
        (128, 64, 4, 2, 1, 0, 1, B, 32, 64),
        (64, 32, 4, 2, 1, 0, 1, B, 64, 128),
    )),
    Entry(4, "HiFi-GAN V2", "jik876/hifi-gan[4769534] config_v2.json", 1, (
        (128, 64, 16, 8, 4, 0, 1, B, 4, 32),
        (64, 32, 16, 8, 4, 0, 1, B, 16, 128),
        (32, 16, 4, 2, 1, 0, 1, B, 32, 64),
        (16, 8, 4, 2, 1, 0, 1, B, 64, 128),
    )),
    Entry(5, "HiFi-GAN V3", "jik876/hifi-gan[4769534] config_v3.json", 1, (
        (256, 128, 16, 8, 4, 0, 1, B, 4, 32),
        (128, 64, 16, 8, 4, 0, 1, B, 16, 128),
        (64, 32, 8, 4, 2, 0, 1, B, 32, 128),
    )),
    Entry(6, "WaveGlow upsample", "NVIDIA/waveglow[8afb643] glow.py", 1, (
        (80, 80, 1024, 256, 0, 0, 1, B, 3, 1536),
    )),
    Entry(7, "EnCodec decoder", "facebookresearch/encodec[0e2d0ae] encodec/modules/seanet.py", 1, (
        (512, 256, 16, 8, 0, 0, 1, B, 4, 40),
        (256, 128, 10, 5, 0, 0, 1, B, 8, 45),
        (128, 64, 8, 4, 0, 0, 1, B, 16, 68),
        (64, 32, 4, 2, 0, 0, 1, B, 32, 66),
    )),
    Entry(8, "Demucs v2", "facebookresearch/demucs[e976d93] demucs/demucs.py", 1, (
        (2048, 1024, 8, 4, 0, 0, 1, B, 3, 16),
        (1024, 512, 8, 4, 0, 0, 1, B, 5, 24),
        (512, 256, 8, 4, 0, 0, 1, B, 8, 36),
        (256, 128, 8, 4, 0, 0, 1, B, 12, 52),
        (128, 64, 8, 4, 0, 0, 1, B, 16, 68),
        (64, 8, 8, 4, 0, 0, 1, B, 32, 132),
    )),
    Entry(9, "HDemucs, frequency branch", "facebookresearch/demucs[e976d93] demucs/hdemucs.py", 2, (
        (384, 192, (8, 1), (4, 1), 0, 0, 1, B, (2, 7), (12, 7)),
        (192, 96, (8, 1), (4, 1), 0, 0, 1, B, (8, 7), (36, 7)),
        (96, 48, (8, 1), (4, 1), 0, 0, 1, B, (16, 7), (68, 7)),
    )),
    Entry(9, "HDemucs, time branch", "facebookresearch/demucs[e976d93] demucs/hdemucs.py", 1, (
        (384, 192, 8, 4, 0, 0, 1, B, 7, 32),
        (192, 96, 8, 4, 0, 0, 1, B, 16, 68),
        (96, 48, 8, 4, 0, 0, 1, B, 32, 132),
        (1536, 768, 4, 2, 0, 0, 1, B, 4, 10),
    )),
    Entry(10, "DAC 44.1 kHz", "descriptinc/descript-audio-codec[c7cfc5d] dac/model/dac.py", 1, (
        (1536, 768, 16, 8, 4, 0, 1, B, 3, 24),
        (768, 384, 16, 8, 4, 0, 1, B, 5, 40),
        (384, 192, 8, 4, 2, 0, 1, B, 16, 64),
        (192, 96, 4, 2, 1, 0, 1, B, 32, 64),
    )),
    Entry(11, "DAC 16 and 24 kHz", "descriptinc/descript-audio-codec[c7cfc5d] dac/model/dac.py", 1, (
        (768, 384, 10, 5, 3, 0, 1, B, 7, 34),
    )),
    Entry(12, "MelGAN", "descriptinc/melgan-neurips[6488045] mel2wav/modules.py", 1, (
        (512, 256, 16, 8, 4, 0, 1, B, 4, 32),
        (256, 128, 16, 8, 4, 0, 1, B, 8, 64),
        (128, 64, 4, 2, 1, 0, 1, B, 32, 64),
        (64, 32, 4, 2, 1, 0, 1, B, 64, 128),
        (64, 32, 6, 3, 2, 1, 1, B, 16, 48),
    )),
    Entry(13, "SoundStream", "lucidrains/audiolm-pytorch[d65fd15]", 1, (
        (512, 256, 16, 8, 0, 0, 1, B, 4, 40),
        (256, 128, 10, 5, 0, 0, 1, B, 8, 45),
        (128, 64, 8, 4, 0, 0, 1, B, 16, 68),
        (64, 32, 4, 2, 0, 0, 1, B, 32, 66),
    )),
    Entry(14, "Kokoro, StyleTTS2 istftnet", "hexgrad/kokoro[dfb907a] kokoro/istftnet.py", 1, (
        (1090, 1090, 3, 2, 1, 1, 1090, B, 9, 18),
        (512, 256, 20, 10, 5, 0, 1, B, 4, 40),
        (256, 128, 12, 6, 3, 0, 1, B, 8, 48),
    )),
    Entry(15, "FCN-32s", "wkentaro/pytorch-fcn[4b98850] torchfcn/models/fcn32s.py", 2, (
        (21, 21, 64, 32, 0, 0, 1, NB, 3, 128),
    )),
    Entry(16, "FCN-16s", "wkentaro/pytorch-fcn[4b98850] torchfcn/models/fcn16s.py", 2, (
        (21, 21, 4, 2, 0, 0, 1, NB, 7, 16),
        (21, 21, 32, 16, 0, 0, 1, NB, 3, 64),
    )),
    Entry(17, "FCN-8s", "wkentaro/pytorch-fcn[4b98850] torchfcn/models/fcn8s.py", 2, (
        (21, 21, 4, 2, 0, 0, 1, NB, 5, 12),
        (21, 21, 4, 2, 0, 0, 1, NB, 10, 22),
        (21, 21, 16, 8, 0, 0, 1, NB, 5, 48),
    )),
    Entry(18, "SAM mask decoder", "facebookresearch/segment-anything[dca509f] modeling/mask_decoder.py", 2, (
        (256, 64, 2, 2, 0, 0, 1, B, 8, 16),
        (64, 32, 2, 2, 0, 0, 1, B, 16, 32),
    )),
    Entry(19, "Mask R-CNN mask head", "torchvision models/detection/mask_rcnn.py", 2, (
        (256, 256, 2, 2, 0, 0, 1, B, 14, 28),
    )),
    Entry(20, "CenterNet DLA up", "xingyizhou/CenterNet[4c50fd3] src/lib/models/networks/pose_dla_dcn.py", 2, (
        (256, 256, 4, 2, 1, 0, 256, NB, 8, 16),
        (64, 64, 8, 4, 2, 0, 64, NB, 8, 32),
        (64, 64, 16, 8, 4, 0, 64, NB, 4, 32),
    )),
    Entry(21, "CenterNet ResNet, SimpleBaseline", "microsoft/human-pose-estimation.pytorch[49f3f44] pose_resnet", 2, (
        (2048, 256, 4, 2, 1, 0, 1, NB, 4, 8),
        (256, 256, 4, 2, 1, 0, 1, NB, 8, 16),
        (256, 256, 4, 2, 1, 0, 1, NB, 16, 32),
        (256, 256, 3, 2, 1, 1, 1, NB, 8, 16),
        (256, 256, 2, 2, 0, 0, 1, NB, 8, 16),
    )),
    Entry(22, "StyleGAN2-ADA upsampling", "NVlabs/stylegan2-ada-pytorch torch_utils/ops/conv2d_resample.py", 2, (
        (2048, 2048, 3, 2, 0, 0, 4, NB, 8, 17),
    )),
    Entry(23, "VQ-VAE-2 decoder", "rosinality/vq-vae-2-pytorch[ef5f67c] vqvae.py", 2, (
        (128, 64, 4, 2, 1, 0, 1, B, 8, 16),
        (64, 3, 4, 2, 1, 0, 1, B, 16, 32),
        (64, 64, 4, 2, 1, 0, 1, B, 8, 16),
    )),
    Entry(24, "CycleGAN ResNet generator", "junyanz/pytorch-CycleGAN-and-pix2pix[000f298] models/networks.py", 2, (
        (256, 128, 3, 2, 1, 1, 1, B, 8, 16),
        (128, 64, 3, 2, 1, 1, 1, B, 16, 32),
    )),
    Entry(25, "Pix2Pix U-Net-256", "junyanz/pytorch-CycleGAN-and-pix2pix[000f298] models/networks.py", 2, (
        (512, 512, 4, 2, 1, 0, 1, NB, 1, 2),
        (1024, 512, 4, 2, 1, 0, 1, NB, 2, 4),
        (1024, 256, 4, 2, 1, 0, 1, NB, 8, 16),
        (512, 128, 4, 2, 1, 0, 1, NB, 8, 16),
        (256, 64, 4, 2, 1, 0, 1, NB, 16, 32),
        (128, 3, 4, 2, 1, 0, 1, B, 32, 64),
    )),
    Entry(26, "V-Net", "mattmacy/vnet.pytorch[a00c8ea] vnet.py", 3, (
        (256, 128, 2, 2, 0, 0, 1, B, 4, 8),
        (256, 64, 2, 2, 0, 0, 1, B, 4, 8),
        (128, 32, 2, 2, 0, 0, 1, B, 6, 12),
        (64, 16, 2, 2, 0, 0, 1, B, 8, 16),
    )),
    Entry(27, "FSRCNN", "yjn870/FSRCNN-pytorch[3eaab29] models.py", 2, (
        (56, 1, 9, 2, 4, 1, 1, B, 9, 18),
        (56, 1, 9, 3, 4, 2, 1, B, 9, 27),
        (56, 1, 9, 4, 4, 3, 1, B, 9, 36),
    )),
    Entry(28, "LapSRN", "twtygqyy/pytorch-LapSRN[1b7737a] lapsrn.py", 2, (
        (64, 64, 4, 2, 1, 0, 1, NB, 12, 24),
        (1, 1, 4, 2, 1, 0, 1, NB, 24, 48),
    )),
    Entry(29, "ENet", "davidtvs/PyTorch-ENet[e17d404] models/enet.py", 2, (
        (32, 32, 2, 2, 0, 0, 1, NB, 8, 16),
        (16, 16, 2, 2, 0, 0, 1, NB, 16, 32),
        (16, 12, 3, 2, 1, 1, 1, NB, 12, 24),
        (16, 12, 3, 2, 1, 0, 1, NB, 12, 23),
    )),
    Entry(30, "ERFNet decoder", "Eromera/erfnet_pytorch[d4a46fa] train/erfnet.py", 2, (
        (128, 64, 3, 2, 1, 1, 1, B, 8, 16),
        (64, 16, 3, 2, 1, 1, 1, B, 16, 32),
        (16, 20, 2, 2, 0, 0, 1, B, 32, 64),
    )),
    Entry(31, "PointPillars", "open-mmlab/OpenPCDet tools/cfgs/kitti_models/pointpillar.yaml", 2, (
        (64, 128, 1, 1, 0, 0, 1, NB, 16, 16),
        (128, 128, 2, 2, 0, 0, 1, NB, 8, 16),
        (256, 128, 4, 4, 0, 0, 1, NB, 4, 16),
    )),
    Entry(32, "SECOND", "open-mmlab/OpenPCDet tools/cfgs/kitti_models/second.yaml", 2, (
        (128, 256, 1, 1, 0, 0, 1, NB, 16, 16),
        (256, 256, 2, 2, 0, 0, 1, NB, 8, 16),
    )),
    Entry(33, "nnU-Net", "MIC-DKFZ/dynamic-network-architectures[d35f85c] building_blocks/unet_decoder.py", 3, (
        (320, 320, (1, 2, 2), (1, 2, 2), 0, 0, 1, B, (5, 4, 4), (5, 8, 8)),
        (320, 256, 2, 2, 0, 0, 1, B, 4, 8),
        (256, 128, 2, 2, 0, 0, 1, B, 4, 8),
        (128, 64, 2, 2, 0, 0, 1, B, 6, 12),
        (64, 32, (1, 2, 2), (1, 2, 2), 0, 0, 1, B, (8, 6, 6), (8, 12, 12)),
    )),
    Entry(34, "MiDaS DPT ViT reassemble", "isl-org/MiDaS[4545977] midas/backbones/vit.py", 2, (
        (96, 96, 4, 4, 0, 0, 1, B, 6, 24),
        (192, 192, 2, 2, 0, 0, 1, B, 6, 12),
        (256, 256, 4, 4, 0, 0, 1, B, 6, 24),
        (512, 512, 2, 2, 0, 0, 1, B, 6, 12),
    )),
    Entry(35, "MiDaS DPT LeViT stem", "isl-org/MiDaS[4545977] midas/backbones/levit.py", 2, (
        (256, 128, 3, 2, 1, 1, 1, NB, 7, 14),
        (128, 64, 3, 2, 1, 1, 1, NB, 14, 28),
    )),
    Entry(36, "FlowNet2", "NVIDIA/flownet2-pytorch[bce69c8] networks", 2, (
        (2, 2, 4, 2, 1, 0, 1, B, 5, 10),
        (2, 2, 4, 2, 1, 0, 1, NB, 10, 20),
        (1024, 512, 4, 2, 1, 0, 1, B, 5, 10),
        (386, 64, 4, 2, 1, 0, 1, B, 12, 24),
    )),
    Entry(37, "Wav2Lip", "Rudrabha/Wav2Lip[5c90fa9] models/wav2lip.py", 2, (
        (1024, 512, 3, 1, 0, 0, 1, B, 1, 3),
        (1024, 512, 3, 2, 1, 1, 1, B, 3, 6),
        (768, 384, 3, 2, 1, 1, 1, B, 6, 12),
        (512, 256, 3, 2, 1, 1, 1, B, 6, 12),
        (320, 128, 3, 2, 1, 1, 1, B, 12, 24),
        (160, 64, 3, 2, 1, 1, 1, B, 12, 24),
    )),
    Entry(38, "3D-GAN", "re-implementations of Wu et al., Learning a Probabilistic Latent Space (2016)", 3, (
        (200, 512, 4, 2, 0, 0, 1, NB, 1, 4),
        (200, 256, 4, 1, 0, 0, 1, NB, 1, 4),
        (512, 256, 4, 2, 1, 0, 1, NB, 4, 8),
        (256, 128, 4, 2, 1, 0, 1, NB, 4, 8),
        (128, 64, 4, 2, 1, 0, 1, NB, 6, 12),
        (64, 1, 4, 2, 1, 0, 1, NB, 8, 16),
    )),
)  # fmt: skip

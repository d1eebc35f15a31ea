"""SMPLer-X and SMPLest-X: the table of backbones, their networks in torch, checkpoints, bundles and conversion.

Only `registry`, `bundle`, `prediction` and `model` work without torch.
"""

"""Forward hooks on a UNet's layers: attached together, detached by id, independent of other patches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from lib_anim.motion.sites import Site, Sites

Change = Callable[[str, Tensor], Tensor]
"""(site's key, the layer's output) → the output that replaces it."""


class Handles:
    """The hooks of one clip on one UNet; `attach` and `detach` may be called repeatedly.

    They are torch's module hooks and do not replace `forward`: other extensions may replace it on the
    instance before or after, and each hook is removed by its id.
    """

    def __init__(self) -> None:
        self._handles: list[Any] = []
        self.sites: Sites | None = None
        """Where they are attached; None while detached."""

    def attach(
        self,
        sites: Sites,
        places: tuple[Site, ...],
        change: Change,
        fold: Callable[[Tensor], Tensor] | None,
        unfold: Callable[[Tensor], Tensor] | None,
    ) -> None:
        """Hooks `change` after the layers of `places`, `fold` and `unfold` before and after the norms
        unless None.

        All or none: when one cannot be attached, those before it are detached.
        """
        self.detach()
        try:
            for site in places:
                self._handles.append(site.layer.register_forward_hook(_behind(site.key, change)))
            if fold is not None and unfold is not None:
                for norm in sites.norms:
                    self._handles.append(norm.register_forward_pre_hook(_before(fold)))
                    self._handles.append(norm.register_forward_hook(_after(unfold)))
        except BaseException:
            self.detach()
            raise
        self.sites = sites

    def detach(self) -> None:
        """Removes every hook; does nothing when they are detached."""
        while self._handles:
            self._handles.pop().remove()
        self.sites = None


def _behind(key: str, change: Change) -> Callable[[nn.Module, Any, Any], Any]:
    def hook(layer: nn.Module, given: Any, output: Any) -> Any:
        if isinstance(output, tuple):
            return (change(key, output[0]), *output[1:])
        return change(key, output)

    return hook


def _before(fold: Callable[[Tensor], Tensor]) -> Callable[[nn.Module, tuple[Any, ...]], Any]:
    return lambda layer, given: (fold(given[0]), *given[1:])


def _after(unfold: Callable[[Tensor], Tensor]) -> Callable[[nn.Module, Any, Tensor], Any]:
    return lambda layer, given, output: unfold(output)

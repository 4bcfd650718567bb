"""Draw what the guide to adapters shows: `python docs/draw_adapters.py` writes docs/images/adapters.svg (some seconds)."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from erlangen.parameters.adapters import AdapterConfig, get_peft_model

IMAGES = Path(__file__).parent / "images"
METHODS = {"LoRA": "lora", "DoRA": "dora", "BoRA": "bora"}
OUT, IN, RANK, STARTS, ITERATIONS = 10, 14, 1, 4, 400
CELL, GAP = 13, 26


def moved(w: Tensor) -> Tensor:
    """What is to be reached: the matrix with an update of rank one, its rows and its columns stretched."""
    draw = torch.Generator().manual_seed(1)
    update = torch.randn(OUT, 1, generator=draw) @ torch.randn(1, IN, generator=draw)
    rows, columns = (torch.exp(0.5 * torch.randn(n, generator=draw)) for n in (OUT, IN))
    return rows.unsqueeze(1) * (w + 0.5 * update) * columns


def reached(w: Tensor, goal: Tensor, method: str) -> Tensor:
    """The matrix nearest to the goal that training an adapter of rank one finds, from several starts."""
    found = []
    for seed in range(STARTS):
        torch.manual_seed(seed)
        layer = nn.Linear(IN, OUT, bias=False, dtype=torch.float64)
        with torch.no_grad():
            layer.weight.copy_(w)
        config = AdapterConfig(method=method, r=RANK, target_modules=["0"], detach_norms=False)  # type: ignore[arg-type]
        model, eye = get_peft_model(nn.Sequential(layer), config), torch.eye(IN, dtype=torch.float64)
        own = [p for p in model.parameters() if p.requires_grad]
        optimizer = torch.optim.LBFGS(own, max_iter=ITERATIONS, history_size=50, line_search_fn="strong_wolfe")

        def closure(own: list[Tensor] = own, model: nn.Module = model, eye: Tensor = eye) -> Tensor:
            for p in own:
                p.grad = None
            loss = (model(eye).T - goal).square().sum()
            loss.backward()
            return loss

        optimizer.step(closure)
        with torch.no_grad():
            found.append(model(eye).T)
    return min(found, key=lambda m: float((m - goal).norm()))


def panel(values: Tensor, x: float, y: float, most: float) -> str:
    """A matrix of positive numbers as squares, the darker the larger."""
    cells = []
    for i, row in enumerate((values / most).clamp(max=1).tolist()):
        for j, v in enumerate(row):
            cells.append(
                f'<rect x="{x + j * CELL:.0f}" y="{y + i * CELL:.0f}" width="{CELL - 1}" height="{CELL - 1}" '
                f'fill="#3949ab" fill-opacity="{v:.3f}" stroke="#c5cae9" stroke-width="0.5"/>'
            )
    return "".join(cells)


def sheet() -> str:
    """Panels beside each other, with a background of their own: an image does not follow the page's theme."""
    w = torch.randn(OUT, IN, generator=torch.Generator().manual_seed(0)).double()
    goal = moved(w.float()).double()
    change = (goal - w).abs()
    shown = {"what fine-tuning has to do": (change, "|W' - W|")}
    for name, method in METHODS.items():
        left = (reached(w, goal, method) - goal).abs()
        shown[f"left by {name}"] = (left, f"{100 * float(left.norm() / change.norm()):.1f} % of it")
    wide, parts = IN * CELL, []
    for k, (title, (values, text)) in enumerate(shown.items()):
        x = GAP + k * (wide + GAP)
        parts.append(panel(values, x, 34, float(change.max())))
        for y, words, weight in ((22, title, "bold"), (34 + OUT * CELL + 20, text, "normal")):
            parts.append(f'<text x="{x}" y="{y}" font-family="sans-serif" font-size="13" font-weight="{weight}">{words}</text>')
    full = GAP + len(shown) * (wide + GAP)
    high = 34 + OUT * CELL + 34
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {full} {high}" width="{full}" height="{high}" fill="#222">'
        f'<rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


if __name__ == "__main__":
    path = IMAGES / "adapters.svg"
    path.write_text(sheet())
    print(path)

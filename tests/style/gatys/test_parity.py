"""What public programs computed, in float64: losses, gradients, and runs of their optimizers."""

from dataclasses import replace

import pytest
import torch

from inpaint.nn.vgg import normalized
from inpaint.optimize.base import StepInfo
from inpaint.optimize.loop import optimize
from inpaint.optimize.stages import Stages
from inpaint.style.gatys.losses import Wasserstein, nine_points, partial_squares
from inpaint.style.gatys.moments import Moments, moments
from inpaint.style.gatys.origins import PROGRAMS, Problem, Scales, fitted
from inpaint.style.gatys.presets import STYLE_LAYERS
from inpaint.style.gatys.roots import newton_schulz_root
from inpaint.style.gatys.terms import Content, ScaledGram, Style, Weighted, scaled_squares

SINGLE, RUN, TUTORIALS_RUN = 1e-9, 1e-6, 1e-5  # largest difference, as a share of the largest value
ROUNDED = 1e-7  # where the expected values are stored in float32
NOW = StepInfo(iteration=0, progress=0.0)
CROWSONS = dict(zip((1, 6, 11, 20, 29), STYLE_LAYERS, strict=True))
NETWORKS = {"crowsonkb": "vgg19", "pytorch_tutorial": "vgg19"}


def apart(got, expected):
    expected = torch.as_tensor(expected)
    got = got.detach() if isinstance(got, torch.Tensor) else torch.tensor(got, dtype=torch.float64)
    return float((got - expected).abs().max() / expected.abs().max())


def limit(expected):
    return SINGLE if torch.as_tensor(expected).dtype == torch.float64 else ROUNDED


@pytest.fixture(scope="module")
def network_of(parity, tmp_path_factory):
    """`network_of(program, pooling)`, in float64."""
    files, built = {}, {}

    def build(name, pooling="max"):
        origin = NETWORKS.get(name, "vgg19_caffe")
        if origin not in files:
            places = parity.write(origin, tmp_path_factory.mktemp(origin))
            files[origin] = next(str(place) for place in places if "random" not in place.name)
        if (name, pooling) not in built:
            built[name, pooling] = PROGRAMS[name].vgg(files[origin], pooling).double()
        return built[name, pooling]

    return build


def picture(array):
    return torch.as_tensor(array).permute(2, 0, 1)[None].double() / 255


def problem_of(cases, network, name, styles, **more):
    weighted = [(weight, picture(cases[key])) for key, weight in styles.items()]
    return Problem(PROGRAMS[name], network, picture(cases["content"]), weighted, **more)


def evaluated(objective):
    """Loss and gradient of the start."""
    evaluation = objective.evaluate(NOW)
    return evaluation.loss, torch.autograd.grad(evaluation.loss, objective.colors)[0][0]


def term(objective, name):
    """One loss, weighted as it is told, and the gradient that it adds."""
    alone = [loss for loss in objective.losses if loss.name == name]
    objective.losses, losses = alone, objective.losses
    try:
        objective._known = None
        return evaluated(objective)
    finally:
        objective.losses, objective._known = losses, None


def space_x(cases):
    return torch.as_tensor(cases["x"]).reshape(1, 3, *cases["x"].shape[-2:]).clone()


class Recorded:
    """The colors at each evaluation, as they were before it, and what was told of it."""

    def __init__(self, objective):
        self.states, self.losses, self.gradients = [], [], []
        evaluate = objective.evaluate

        def recording(step):
            self.states.append(objective.colors.detach().clone()[0])
            found = evaluate(step)
            self.losses.append(float(found.loss.detach()))
            self.gradients.append(objective._known.gradient[0])
            return found

        objective.evaluate = recording


def run_of(problem, start, count):
    """Run a program's own optimizer for so many evaluations; the colors after the last step."""
    objective = problem.objective(start)
    recorded = Recorded(objective)
    optimize(objective, problem.program.loop.model_copy(update={"iterations": count}))
    return recorded, objective.colors.detach()[0]


# leongatys ------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("pooling", ["max", "average"])
def test_gatys_own_program_has_these_losses_and_gradients(parity, network_of, pooling):
    cases = parity.cases("leongatys")
    prefix = {"max": "max", "average": "avg"}[pooling]
    problem = problem_of(cases, network_of("leongatys", pooling), "leongatys", {"style": 1.0})
    objective = problem.objective(space_x(cases))
    assert apart(problem.program.space.of(problem.content)[0], cases["content_prep"]) <= SINGLE
    loss, gradient = evaluated(objective)
    assert apart(loss, cases[f"{prefix}_loss"]) <= SINGLE
    assert apart(gradient, cases[f"{prefix}_grad"]) <= SINGLE
    names = [*(f"style_{layer}" for layer in STYLE_LAYERS), "content_relu4_2"]
    told = [float(term(objective, name)[0].detach()) for name in names]
    assert apart(told, cases[f"{prefix}_losses"]) <= SINGLE
    if pooling == "max":
        assert apart([problem.strengths[name] for name in names], cases["weights"]) <= SINGLE
        assert apart(term(objective, "content_relu4_2")[1], cases["max_grad_content"]) <= SINGLE
        assert apart(term(objective, "style_relu5_1")[1], cases["max_grad_style_r51"]) <= SINGLE


@pytest.mark.slow
def test_gatys_own_program_runs_so(parity, network_of):
    cases = parity.cases("leongatys")
    problem = problem_of(cases, network_of("leongatys"), "leongatys", {"style": 1.0})
    count = int(cases["run_evaluations"])
    recorded, final = run_of(problem, problem.program.space.of(problem.content), count)
    assert apart(recorded.losses, cases["run_losses"]) <= RUN
    for number in (2, 3, 6, 11, 20):
        assert apart(recorded.states[number - 1], cases[f"run_x_{number}"]) <= RUN
    assert apart(recorded.gradients[1], cases["run_grad_2"]) <= RUN
    assert apart(final, cases["run_final"]) <= RUN
    shown = (255 * problem.program.space.back(final).clamp(0, 1)).to(torch.uint8).permute(1, 2, 0)
    assert (shown.int() - torch.as_tensor(cases["run_final_u8"]).int()).abs().max() <= 1


# pytorch_tutorial -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_tutorial_of_pytorch_has_these_losses_and_gradients(parity, network_of):
    cases = parity.cases("pytorch_tutorial")
    problem = problem_of(cases, network_of("pytorch_tutorial"), "pytorch_tutorial", {"style": 1.0})
    objective = problem.objective(space_x(cases))
    objective.clamp = False  # what was measured alone was not cut
    loss, gradient = evaluated(objective)
    assert apart(loss, cases["loss"]) <= SINGLE
    assert apart(gradient, cases["grad"]) <= SINGLE
    values = objective.values()
    styles = [value for name, value in values.items() if name.startswith("style")]
    assert apart(styles, cases["style_losses"]) <= SINGLE
    assert apart([values["content_conv2_2"]], cases["content_losses"]) <= SINGLE


@pytest.mark.slow
def test_the_tutorial_of_pytorch_runs_so(parity, network_of):
    cases = parity.cases("pytorch_tutorial")
    problem = problem_of(cases, network_of("pytorch_tutorial"), "pytorch_tutorial", {"style": 1.0})
    recorded, final = run_of(problem, problem.content, int(cases["run_evaluations"]))
    assert apart(recorded.losses, cases["run_losses"]) <= TUTORIALS_RUN
    for number in (2, 3, 6, 11, 20):
        assert apart(recorded.states[number - 1], cases[f"run_x_{number}"]) <= TUTORIALS_RUN
    assert apart(final.clamp(0, 1), cases["run_final"]) <= TUTORIALS_RUN


# progamergov and jcjohnson --------------------------------------------------------------------------------------------

BOTH = {"style": 0.75, "style2": 0.25}


@pytest.mark.slow
def test_neural_style_pt_has_these_losses_and_gradients(parity, network_of):
    cases = parity.cases("progamergov")
    objective = problem_of(cases, network_of("progamergov"), "progamergov", BOTH).objective(space_x(cases))
    loss, gradient = evaluated(objective)
    assert apart(loss, cases["loss_total"]) <= SINGLE
    assert apart(gradient, cases["grad_total"]) <= SINGLE
    names = {"content": "content_relu4_2", "tv": "tv"}
    names |= {f"style_{number}": f"style_{layer}" for number, layer in enumerate(STYLE_LAYERS, start=1)}
    for theirs, ours in names.items():
        loss, gradient = term(objective, ours)
        assert apart(loss, cases[f"loss_{theirs}"]) <= SINGLE, ours
        if f"grad_{theirs}" in cases:
            assert apart(gradient, cases[f"grad_{theirs}"]) <= SINGLE, ours


@pytest.mark.slow
def test_neural_style_pt_runs_so(parity, network_of):
    cases = parity.cases("progamergov")
    problem = problem_of(cases, network_of("progamergov"), "progamergov", BOTH)
    recorded, final = run_of(problem, problem.program.space.of(problem.content), 6)
    assert apart(recorded.losses, cases["lbfgs_losses"]) <= RUN
    for number in (2, 3, 5, 6):
        assert apart(recorded.states[number - 1], cases[f"lbfgs_x_{number}"]) <= RUN
    assert apart(final, cases["lbfgs_final"]) <= RUN


def by_adam(problem):
    """The same, by the other optimizer of neural-style-pt."""
    adam = problem.program.loop.model_copy(update={"optimizer": "adam", "lr": 1.0})
    return replace(problem, program=replace(problem.program, loop=adam))


@pytest.mark.slow
def test_neural_style_pt_runs_so_by_adam_with_average_pooling(parity, network_of):
    cases = parity.cases("progamergov")
    problem = problem_of(cases, network_of("progamergov", "average"), "progamergov", BOTH)
    recorded, final = run_of(by_adam(problem), problem.program.space.of(problem.content), 4)
    assert apart(recorded.losses, cases["adam_avg_losses"]) <= RUN
    assert apart(recorded.gradients[0], cases["adam_avg_grad_1"]) <= SINGLE
    assert apart(recorded.states[1], cases["adam_avg_x_2"]) <= RUN
    assert apart(final, cases["adam_avg_final"]) <= RUN


@pytest.mark.slow
@pytest.mark.parametrize("normalizing", ["gradients", "weights"])
def test_neural_style_pt_normalizes_so(parity, network_of, normalizing):
    cases = parity.cases("progamergov")
    problem = by_adam(problem_of(cases, network_of("progamergov"), "progamergov", BOTH, normalizing=normalizing))
    recorded, _ = run_of(problem, problem.program.space.of(problem.content), 2)
    assert apart(recorded.losses, cases[f"normalize_{normalizing}_losses"]) <= RUN
    assert apart(recorded.gradients[0], cases[f"normalize_{normalizing}_grad_1"]) <= SINGLE
    if normalizing == "weights":
        names = ["content_relu4_2", *(f"style_{layer}" for layer in STYLE_LAYERS)]
        strengths = [problem.strengths[name] for name in names]
        assert apart(strengths, cases["normalize_weights_strengths"]) <= SINGLE


@pytest.mark.slow
def test_neural_style_has_these_losses_and_gradients(parity, network_of):
    cases = parity.cases("jcjohnson")
    problem = problem_of(cases, network_of("jcjohnson"), "jcjohnson", BOTH)
    objective = problem.objective(space_x(cases))
    loss, gradient = evaluated(objective)
    assert apart(loss, cases["loss"]) <= SINGLE
    assert apart(gradient, cases["grad"]) <= SINGLE
    names = {"content": "content_relu4_2"}
    names |= {f"style_{number}": f"style_{layer}" for number, layer in enumerate(STYLE_LAYERS, start=1)}
    for theirs, ours in names.items():
        loss, gradient = term(objective, ours)
        assert apart(loss, cases[f"loss_{theirs}"]) <= SINGLE, ours
        if f"grad_{theirs}" in cases:
            assert apart(gradient, cases[f"grad_{theirs}"]) <= SINGLE, ours
    told, gradient = term(objective, "tv")
    assert float(told.detach()) == 0
    assert apart(gradient, cases["grad_tv"]) <= SINGLE


@pytest.mark.slow
def test_neural_style_pools_by_the_mean_and_normalizes_gradients_so(parity, network_of):
    cases = parity.cases("jcjohnson")
    problem = problem_of(cases, network_of("jcjohnson", "average"), "jcjohnson", BOTH)
    loss, gradient = evaluated(problem.objective(space_x(cases)))
    assert apart(loss, cases["avg_loss"]) <= SINGLE
    assert apart(gradient, cases["avg_grad"]) <= SINGLE
    problem = problem_of(cases, network_of("jcjohnson"), "jcjohnson", BOTH, normalizing="gradients")
    loss, gradient = evaluated(problem.objective(space_x(cases)))
    assert apart(loss, cases["normalize_gradients_loss"]) <= SINGLE
    assert apart(gradient, cases["normalize_gradients_grad"]) <= SINGLE


@pytest.mark.slow
def test_neural_style_runs_so(parity, network_of):
    cases = parity.cases("jcjohnson")
    problem = problem_of(cases, network_of("jcjohnson"), "jcjohnson", BOTH)
    recorded, final = run_of(problem, problem.program.space.of(picture(cases["init"])), 6)
    assert apart(recorded.losses, cases["lbfgs_losses"]) <= RUN
    for number in (2, 3, 5, 6):
        assert apart(recorded.states[number - 1], cases[f"lbfgs_x_{number}"]) <= RUN
    assert apart(final, cases["lbfgs_final"]) <= RUN


def test_the_total_variation_of_neural_style_lacks_the_last_row_and_column(parity):
    cases = parity.cases("jcjohnson")
    x = torch.as_tensor(cases["tv_input"])[None].requires_grad_()
    assert apart(torch.autograd.grad(partial_squares(x), x)[0][0], cases["tv_grad"]) <= SINGLE


# crowsonkb ------------------------------------------------------------------------------------------------------------

MIXED = {"style_a": 0.7, "style_b": 0.3}


@pytest.mark.slow
@pytest.mark.parametrize("pooling", ["max", "average", "l2"])
def test_style_transfer_pytorch_has_these_losses_and_gradients(parity, network_of, pooling):
    cases = parity.cases("crowsonkb")
    problem = problem_of(cases, network_of("crowsonkb", pooling), "crowsonkb", MIXED)
    objective = problem.objective(space_x(cases))
    loss, gradient = evaluated(objective)
    assert apart(loss, cases[f"{pooling}_loss_total"]) <= SINGLE
    assert apart(gradient, cases[f"{pooling}_grad_total"]) <= SINGLE
    names = {"content": "content_relu4_2", "tv": "tv"}
    names |= {f"style_{number}": f"style_{layer}" for number, layer in CROWSONS.items()}
    values = objective.values()
    for theirs, ours in names.items():
        expected = cases[f"{pooling}_loss_{theirs}"]
        own = values[ours] if theirs != "tv" else float(nine_points(space_x(cases)))
        assert apart(own, expected) <= SINGLE, ours
        if f"{pooling}_grad_{theirs}" in cases:
            weight = 2.0 if theirs == "tv" else problem.strengths[ours]
            expected = cases[f"{pooling}_grad_{theirs}"]
            assert apart(term(objective, ours)[1] / weight, expected) <= limit(expected), ours


@pytest.mark.slow
def test_style_transfer_pytorch_has_these_targets_and_scaled_losses(parity, network_of):
    cases = parity.cases("crowsonkb")
    network = network_of("crowsonkb")
    found = {name: moments(network, normalized(picture(cases[name])), STYLE_LAYERS) for name in ("style_a", "style_b")}
    for number, layer in CROWSONS.items():
        mixed = Moments.mixed([(weight, found[name][layer]) for name, weight in MIXED.items()])
        assert apart(mixed.mean, cases[f"style_target_mean_{number}"]) <= SINGLE
        if number == 1:
            assert apart(mixed.second, cases["style_target_srm_1"]) <= SINGLE
    problem = problem_of(cases, network, "crowsonkb", MIXED)
    objective = problem.objective(space_x(cases))
    target = next(loss.comparison.target for loss in objective.losses if loss.name == "content_relu4_2")
    objective.losses = [
        Weighted(name="content", weight=1.0, comparison=Content("relu4_2", target, None)),
        *(
            Weighted(name=f"style_{number}", weight=1.0, comparison=Style(layer, ScaledGram(found["style_a"][layer])))
            for number, layer in CROWSONS.items()
        ),
    ]
    for name in ("content", *(f"style_{number}" for number in CROWSONS)):
        loss, gradient = term(objective, name)
        assert apart(loss, cases[f"max_loss_scaled_{name}"]) <= SINGLE, name
        expected = cases[f"max_grad_scaled_{name}"]
        assert apart(gradient, expected) <= limit(expected), name


@pytest.mark.parametrize("kind", ["w2", "w2_low_rank"])
def test_distances_of_normal_distributions_are_those_of_style_transfer_pytorch(parity, kind):
    cases = parity.cases("crowsonkb")

    def of(features):
        flat = features[0].flatten(1)
        return Moments(flat.mean(dim=1), flat @ flat.T / flat.shape[1])

    own = torch.as_tensor(cases[f"{kind}_input"]).requires_grad_()
    target = of(torch.as_tensor(cases[f"{kind}_target"]))
    losses = {kind: Wasserstein(target, exact=True)(of(own))}
    losses[f"{kind}_scaled_gram"] = scaled_squares(of(own).second, target.second)
    for name, loss in losses.items():
        assert apart(loss, cases[f"{name}_loss"]) <= SINGLE
        assert apart(torch.autograd.grad(loss, own)[0], cases[f"{name}_grad"]) <= SINGLE


def test_roots_and_their_gradients_are_those_of_style_transfer_pytorch(parity):
    cases = parity.cases("crowsonkb")
    given = torch.as_tensor(cases["sqrtm_input"]).requires_grad_()
    root = newton_schulz_root(given)
    assert apart(root, cases["sqrtm_output"]) <= SINGLE
    (gradient,) = torch.autograd.grad(root, given, torch.as_tensor(cases["sqrtm_grad_output"]))
    assert apart(gradient, cases["sqrtm_grad"]) <= SINGLE


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_style_transfer_pytorch_runs_so(parity, network_of, optimizer):
    cases = parity.cases("crowsonkb")
    scales, recorded = crowsons_scales(network_of("crowsonkb"), [5], optimizer)
    scales.run(picture(cases["content"]), styles_of(cases), picture(cases["content"]))
    assert apart(recorded[0].losses, cases[f"{optimizer}_losses"]) <= RUN
    for number in (1, 2):
        state = recorded[0].states[number]
        assert apart(state.clamp(0, 1) if optimizer == "adam" else state, cases[f"{optimizer}_image_{number}"]) <= RUN
    final = scales.objective.colors.detach()[0]
    final = final.clamp(0, 1) if optimizer == "adam" else final
    assert apart(final, cases[f"{optimizer}_image_5"]) <= RUN
    assert apart(scales.image[0], cases[f"{optimizer}_average"]) <= RUN


@pytest.mark.slow
def test_style_transfer_pytorch_goes_from_one_size_to_the_next_so(parity, network_of):
    cases = parity.cases("crowsonkb")
    content, styles = picture(cases["content"]), styles_of(cases)
    small = fitted(content, 45, enlarge=True)
    reduced = [(weight, fitted(image, 45)) for weight, image in styles]
    for image, name in zip([small, *(image for _, image in reduced)], ("content", "style_a", "style_b"), strict=True):
        assert torch.equal(image, picture(cases[f"scales_{name}_45"]))
    scales, recorded = crowsons_scales(network_of("crowsonkb"), [3, 3], "adam")
    scales.run(small, reduced, small)
    states = [state.clamp(0, 1) for state in (recorded[0].states[1], scales.objective.colors.detach()[0])]
    scales.run(content, styles, content)
    states += [state.clamp(0, 1) for state in (recorded[1].states[1], scales.objective.colors.detach()[0])]
    assert apart(recorded[0].losses + recorded[1].losses, cases["scales_losses"]) <= RUN
    for number, state in zip((1, 3, 4, 6), states, strict=True):
        assert apart(state, cases[f"scales_image_{number}"]) <= RUN, number
    assert apart(scales.image[0], cases["scales_average"]) <= RUN


def styles_of(cases):
    return [(weight, picture(cases[name])) for name, weight in MIXED.items()]


def crowsons_scales(network, iterations, optimizer):
    """Its sizes, and what happens in each, recorded."""
    program = PROGRAMS["crowsonkb"]
    if optimizer == "lbfgs":
        lbfgs = program.loop.lbfgs.model_copy(update={"history": 10, "line_search": None})
        loop = program.loop.model_copy(update={"optimizer": "lbfgs", "lbfgs": lbfgs, "lr": 1.0})
        program = replace(program, loop=loop, clamp=False)
    recorded = []
    runs = Stages(iterations, None, None, lambda image: image)
    run = runs.run

    def recording(name, objective, loop, *, state=None):
        recorded.append(Recorded(objective))
        return run(name, objective, loop, state=state)

    runs.run = recording
    return Scales(program, network, runs), recorded

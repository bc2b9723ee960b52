"""What this distribution registers."""

from __future__ import annotations

from snncore.hookspecs import Register, hookimpl

API = 1

_COMPONENTS = (
    ("neuron", "alif", "alif:ALIF", "leaky integrate-and-fire with a threshold that adapts"),
    ("neuron", "if", "integrate_fire:IF", "integrate-and-fire"),
    ("neuron", "izhikevich", "izhikevich:Izhikevich", "quadratic membrane, recovery current"),
    ("neuron", "lif", "lif:LIF", "leaky integrate-and-fire"),
    ("neuron", "adex", "adex:AdEx", "exponential membrane, adaptation current"),
    ("neuron", "clif", "clif:CLIF", "leaky, reset deepened by a complementary potential"),
    ("neuron", "cuba_lif", "cuba_lif:CubaLIF", "leaky integrate-and-fire of a synaptic current"),
    ("neuron", "eif", "eif:EIF", "exponential integrate-and-fire"),
    ("neuron", "general_linear", "general_linear:GeneralLinear", "learns decay, gain, threshold"),
    ("neuron", "ilif", "ilif:ILIF", "leaky, fires a whole number of spikes per step"),
    ("neuron", "klif", "klif:KLIF", "leaky, potential scaled by a learnable slope and rectified"),
    ("neuron", "liaf", "liaf:LIAF", "leaky, gives an activation of its potential"),
    ("neuron", "qif", "qif:QIF", "quadratic integrate-and-fire"),
    ("neuron", "raf", "raf:RAF", "resonate-and-fire, only the potential is reset"),
    (
        "neuron",
        "resonate_and_fire",
        "resonate_and_fire:ResonateAndFire",
        "resonate-and-fire, both states are reset",
    ),
    ("neuron", "ternary_if", "ternary_if:TernaryIF", "integrate-and-fire, spikes -1, 0 and 1"),
    ("neuron", "ternary_lif", "ternary_lif:TernaryLIF", "leaky, spikes -1, 0 and 1"),
    ("neuron", "plif", "plif:PLIF", "leaky integrate-and-fire with learnable time constant"),
    ("neuron", "quantized_lif", "quantized_lif:QuantizedLIF", "leaky, in whole numbers"),
    ("neuron", "conductance_lif", "conductance_lif:ConductanceLIF", "leaky, with conductances"),
    ("neuron", "escape_rate", "escape_rate:EscapeRate", "leaky, fires by chance near threshold"),
    ("neuron", "glif", "glif:GLIF", "leaky, with gated leaks, inputs and resets"),
    ("neuron", "integrator", "integrator:Integrator", "sums and never fires: a readout"),
    (
        "neuron",
        "leaky_integrator",
        "leaky_integrator:LeakyIntegrator",
        "averages and never fires: a readout",
    ),
    ("neuron", "masked_psn", "masked_psn:MaskedPSN", "parallel, with a mask that closes"),
    ("neuron", "noisy_lif", "noisy_lif:NoisyLIF", "leaky, with noise on the membrane"),
    ("neuron", "ottt_lif", "ottt_lif:OTTTLIF", "leaky, trained online, with a trace"),
    ("neuron", "psn", "psn:PSN", "parallel: each step looks at all steps"),
    ("neuron", "refractory_lif", "refractory_lif:RefractoryLIF", "leaky, rests after a spike"),
    ("neuron", "sliding_psn", "sliding_psn:SlidingPSN", "parallel: looks at its last inputs"),
    ("neuron", "sltt_lif", "sltt_lif:SLTTLIF", "leaky, trained online"),
    ("neuron", "synaptic_lif", "synaptic_lif:SynapticLIF", "leaky, synapse that rises and decays"),
    (
        "layer",
        "spiking_self_attention",
        "attention.self_attention:SpikingSelfAttention",
        "attention of Spikformer",
    ),
    (
        "layer",
        "qk_attention",
        "attention.qk_attention:QKAttention",
        "attention of QKFormer, over tokens or channels",
    ),
    (
        "layer",
        "spike_driven_attention",
        "attention.spike_driven:SpikeDrivenAttention",
        "attention of the Spike-driven Transformer",
    ),
    ("layer", "spiking_rnn_cell", "recurrent.rnn:SpikingRNNCell", "plain recurrent cell"),
    ("layer", "spiking_gru_cell", "recurrent.gru:SpikingGRUCell", "GRU cell whose gates fire"),
    ("layer", "spiking_lstm_cell", "recurrent.lstm:SpikingLSTMCell", "LSTM cell whose gates fire"),
    ("layer", "spiking_rnn", "recurrent.rnn:SpikingRNN", "layers of plain recurrent cells"),
    ("layer", "spiking_gru", "recurrent.gru:SpikingGRU", "layers of GRU cells that fire"),
    (
        "layer",
        "spiking_lstm",
        "recurrent.lstm:SpikingLSTM",
        "layers of LSTM cells whose gates fire",
    ),
    ("encoder", "constant_current", "constant_current:ConstantCurrent", "the value at every step"),
    ("encoder", "latency", "latency:Latency", "one spike, earlier for larger values"),
    ("encoder", "poisson", "poisson:Poisson", "random spikes with the value as probability"),
    ("encoder", "delta", "level_crossing:Delta", "spikes where a signal changes"),
    ("encoder", "gaussian_tuning", "gaussian_tuning:GaussianTuning", "times by tuning curves"),
    ("encoder", "periodic", "periodic:Periodic", "a given sequence again and again"),
    ("encoder", "population", "population:Population", "learnable Gaussian receptive fields"),
    ("encoder", "rank_order", "rank_order:RankOrder", "one spike in the order of the values"),
    ("encoder", "send_on_delta", "level_crossing:SendOnDelta", "spikes since the last spike"),
    ("encoder", "step_forward", "level_crossing:StepForward", "spikes that move a baseline"),
    ("encoder", "weighted_phase", "weighted_phase:WeightedPhase", "binary digits, one a phase"),
    ("layer", "latency_decoder", "decoders.latency:LatencyDecoder", "time of the first spike"),
    (
        "layer",
        "moving_window_decoder",
        "decoders.moving_window:MovingWindowDecoder",
        "firing rate over the last steps",
    ),
    (
        "layer",
        "population_decoder",
        "decoders.population:PopulationDecoder",
        "preferred values weighted by rates",
    ),
    ("layer", "rate_decoder", "decoders.rate:RateDecoder", "firing rate so far"),
    ("layer", "voting", "decoders.voting:Voting", "mean over groups of neurons"),
)

_ALIASES = {"cuba_lif": ("cuba",)}

_SURROGATES = (
    ("deterministic_pass", "passes:DeterministicPass", "a gradient that passes unchanged"),
    ("fake_numerical_gradient", "tails:FakeNumericalGradient", "slope of the chord, bounded"),
    ("gaussian", "bells:Gaussian", "normal density by its standard deviation"),
    ("leaky_k_relu", "pieces:LeakyKReLU", "one slope above the threshold, another below"),
    ("log_tailed_relu", "pieces:LogTailedReLU", "a rectified line with a logarithmic tail"),
    ("multi_gaussian", "bells:MultiGaussian", "normal density between negative lobes"),
    ("multi_level_spike_count", "passes:MultiLevelSpikeCount", "several spikes at once, a count"),
    ("nonzero_sign_log_abs", "tails:NonzeroSignLogAbs", "derivative of a two-sided logarithm"),
    ("piecewise_exp", "tails:PiecewiseExp", "two-sided exponential derivative"),
    ("piecewise_leaky_relu", "pieces:PiecewiseLeakyReLU", "rectangular derivative with a floor"),
    ("poisson_pass", "passes:PoissonPass", "random spikes, a gradient that passes unchanged"),
    ("q_pseudo_spike", "tails:QPseudoSpike", "power law with tails as fat as wanted"),
    ("s2nn", "pieces:S2NN", "sigmoid below the threshold, logarithm above"),
    (
        "squarewave_fourier_series",
        "waves:SquarewaveFourierSeries",
        "Fourier series of a square wave",
    ),
    ("ste", "pieces:STE", "straight-through estimator with a window"),
    ("super_spike", "tails:SuperSpike", "derivative of a soft sign, scaled by its height"),
)

_LAYERS = (
    ("bntt", "bntt:BNTT", (), "a batch normalisation for each time step"),
    ("delay", "delay:Delay", (), "every input some steps later"),
    (
        "drop_connect_linear",
        "drop_connect_linear:DropConnectLinear",
        (),
        "linear layer that drops weights, for each sample others",
    ),
    ("learnable_delay", "learnable_delay:LearnableDelay", (), "a learnable delay per channel"),
    (
        "learnable_delay_linear",
        "learnable_delay_linear:LearnableDelayLinear",
        ("dcls_linear",),
        "linear layer with a learnable delay per synapse",
    ),
    (
        "locked_dropout",
        "locked_dropout:LockedDropout",
        ("spiking_dropout",),
        "dropout with one mask for all time steps",
    ),
    (
        "locked_dropout2d",
        "locked_dropout:LockedDropout2d",
        ("spiking_dropout2d",),
        "dropout of channels with one mask for all time steps",
    ),
    ("mpbn", "mpbn:MPBN", (), "neuron with a normalised potential, foldable into its threshold"),
    (
        "multi_dimensional_attention",
        "multi_dimensional_attention:MultiDimensionalAttention",
        (),
        "attention over time, then channels, then places",
    ),
    ("neu_norm", "neu_norm:NeuNorm", (), "inhibition by the recent activity of all channels"),
    ("residual", "residual:Residual", (), "residual connection: add, and, iand"),
    ("synapse_filter", "synapse_filter:SynapseFilter", (), "spikes to currents that decay"),
    ("t_last", "t_last:TLast", (), "runs modules on sequences with time last"),
    ("tdbn1d", "tdbn:TDBN1d", (), "threshold-dependent batch normalisation"),
    ("tdbn2d", "tdbn:TDBN2d", (), "threshold-dependent batch normalisation of images"),
    ("tdbn3d", "tdbn:TDBN3d", (), "threshold-dependent batch normalisation of volumes"),
    ("tebn", "tebn:TEBN", (), "batch normalisation with a learnable factor per time step"),
    (
        "temporal_attention",
        "temporal_attention:TemporalAttention",
        (),
        "weighs the time steps of a sequence",
    ),
)


@hookimpl
def snn_components(register: Register) -> None:
    for name, target, summary in _SURROGATES:
        register("surrogate", name, f"snn_neurons.surrogates.{target}", summary=summary)
    for kind, name, target, summary in _COMPONENTS:
        aliases = _ALIASES.get(name, ())
        register(kind, name, f"snn_neurons.{target}", summary=summary, aliases=aliases)
    for name, target, aliases, summary in _LAYERS:
        register("layer", name, f"snn_neurons.layers.{target}", summary=summary, aliases=aliases)

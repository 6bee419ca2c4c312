# Timing of the generated accelerator (top-level ports of `brownout generate`).
# Synopsys Design Constraints, as OpenSTA, Vivado (read_xdc) and Quartus read them.

# One clock for everything: 150 MHz.
create_clock -name clock -period 6.667 [get_ports clock]

# Registers of the host side drive and take the ports: leave them 40 % of the period.
set host_inputs [get_ports {reset register_write register_read register_address* register_write_data* input_valid input_data* output_ready}]
set host_outputs [get_ports {register_read_data* input_ready output_valid output_data*}]
set_input_delay -clock clock 2.667 $host_inputs
set_output_delay -clock clock 2.667 $host_outputs

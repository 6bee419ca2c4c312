# Xilinx Artix-7 100T, speed grade -1: timing of the generated accelerator on its own, out of
# context: it is a block of a larger design and has more ports than a package has pins.
#   synth_design -top brownout -part xc7a100tcsg324-1 -mode out_of_context

# One clock for everything: 150 MHz, as if from a global buffer.
create_clock -name clock -period 6.667 [get_ports clock]
set_property HD.CLK_SRC BUFGCTRL_X0Y0 [get_ports clock]

# Registers of the host side drive and take the ports: leave them 40 % of the period.
set_input_delay -clock clock 2.667 [get_ports {reset register_write register_read register_address* register_write_data* input_valid input_data* output_ready}]
set_output_delay -clock clock 2.667 [get_ports {register_read_data* input_ready output_valid output_data*}]

# There are no false paths and no multicycle paths: one clock, a synchronous reset.

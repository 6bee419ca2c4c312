# Digilent Arty A7-100T (xc7a100tcsg324-1): pins of `brownout generate --board arty-a7`.
# Pins as in the board's own Arty-A7-100-Master.xdc (github.com/Digilent/digilent-xdc).

# Oscillator; it clocks everything.
set_property -dict {PACKAGE_PIN E3 IOSTANDARD LVCMOS33} [get_ports clk_100mhz]
create_clock -name clk_100mhz -period 10.000 [get_ports clk_100mhz]

# USB serial bridge (FT2232), named as the bridge sees its lines.
set_property -dict {PACKAGE_PIN D10 IOSTANDARD LVCMOS33} [get_ports uart_rxd_out]
set_property -dict {PACKAGE_PIN A9 IOSTANDARD LVCMOS33} [get_ports uart_txd_in]

# Button BTN0.
set_property -dict {PACKAGE_PIN D9 IOSTANDARD LVCMOS33} [get_ports btn]

# Lamps LD4 to LD7.
set_property -dict {PACKAGE_PIN H5 IOSTANDARD LVCMOS33} [get_ports {led[0]}]
set_property -dict {PACKAGE_PIN J5 IOSTANDARD LVCMOS33} [get_ports {led[1]}]
set_property -dict {PACKAGE_PIN T9 IOSTANDARD LVCMOS33} [get_ports {led[2]}]
set_property -dict {PACKAGE_PIN T10 IOSTANDARD LVCMOS33} [get_ports {led[3]}]

# Nothing outside is timed by the clock: the inputs end in synchronizers.
set_false_path -from [get_ports {uart_txd_in btn}]
set_false_path -to [get_ports {uart_rxd_out led*}]

set_property CFGBVS VCCO [current_design]
set_property CONFIG_VOLTAGE 3.3 [current_design]

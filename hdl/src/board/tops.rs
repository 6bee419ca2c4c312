//! The tops of boards: names of pins, and nothing else.

use super::SerialTop;
use crate::comment;
use rust_hdl::prelude::*;

/// Top for the Radiona ULX3S; `constraints/ulx3s.lpf` places the pins.
#[derive(LogicBlock)]
pub struct Ulx3s {
    /// Oscillator.
    pub clk_25mhz: Signal<In, Clock>,
    /// To the USB bridge, which receives it.
    pub ftdi_rxd: Signal<Out, Bit>,
    /// From the USB bridge, which transmits it.
    pub ftdi_txd: Signal<In, Bit>,
    /// Buttons PWR (low where pressed) and FIRE1 (high where pressed).
    pub btn: Signal<In, Bits<2>>,
    /// Lamps.
    pub led: Signal<Out, Bits<8>>,
    serial: SerialTop,
}

impl Ulx3s {
    /// The top around a serial line.
    pub fn new(serial: SerialTop) -> Self {
        Self {
            clk_25mhz: Default::default(),
            ftdi_rxd: Default::default(),
            ftdi_txd: Default::default(),
            btn: Default::default(),
            led: Default::default(),
            serial,
        }
    }
}

impl Logic for Ulx3s {
    #[hdl_gen]
    fn update(&mut self) {
        comment!("module ulx3s: Top for the ULX3S board, as in constraints/ulx3s.lpf.");
        comment!("ports clk_25mhz: oscillator");
        comment!("ports ftdi_rxd: serial line, named as the USB bridge sees it");
        comment!("ports btn: buttons, either of which resets: PWR (active low), FIRE1");
        comment!(
            "ports led: 0 no pass is running, 1 a result waits, 2 receiving, 3 sending; 4 to 7 are off"
        );
        self.serial.clock.next = self.clk_25mhz.val();
        self.serial.button.next = !self.btn.val().get_bit(0) || self.btn.val().get_bit(1);
        self.serial.line_in.next = self.ftdi_txd.val();
        self.ftdi_rxd.next = self.serial.line_out.val();
        self.led.next = bit_cast::<8, 4>(self.serial.lamps.val());
    }
}

/// Top for the Digilent Arty A7-100T; `constraints/arty_a7_100t.xdc` places the pins.
#[derive(LogicBlock)]
pub struct ArtyA7 {
    /// Oscillator.
    pub clk_100mhz: Signal<In, Clock>,
    /// To the USB bridge, which receives it.
    pub uart_rxd_out: Signal<Out, Bit>,
    /// From the USB bridge, which transmits it.
    pub uart_txd_in: Signal<In, Bit>,
    /// Button BTN0, high where pressed.
    pub btn: Signal<In, Bit>,
    /// Lamps.
    pub led: Signal<Out, Bits<4>>,
    serial: SerialTop,
}

impl ArtyA7 {
    /// The top around a serial line.
    pub fn new(serial: SerialTop) -> Self {
        Self {
            clk_100mhz: Default::default(),
            uart_rxd_out: Default::default(),
            uart_txd_in: Default::default(),
            btn: Default::default(),
            led: Default::default(),
            serial,
        }
    }
}

impl Logic for ArtyA7 {
    #[hdl_gen]
    fn update(&mut self) {
        comment!(
            "module arty_a7: Top for the Arty A7-100T board, as in constraints/arty_a7_100t.xdc."
        );
        comment!("ports clk_100mhz: oscillator");
        comment!("ports uart_rxd_out: serial line, named as the USB bridge sees it");
        comment!("ports btn: button BTN0, which resets");
        comment!("ports led: 0 no pass is running, 1 a result waits, 2 receiving, 3 sending");
        self.serial.clock.next = self.clk_100mhz.val();
        self.serial.button.next = self.btn.val();
        self.serial.line_in.next = self.uart_txd_in.val();
        self.uart_rxd_out.next = self.serial.line_out.val();
        self.led.next = self.serial.lamps.val();
    }
}

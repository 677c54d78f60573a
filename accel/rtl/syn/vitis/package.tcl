# NEVER RUN IN VIVADO HERE; tests/rtl/packaging runs it with a stand-in. Packs the engine as an RTL kernel (.xo).
#
#     vivado -mode batch -source package.tcl -tclargs PART ROOT CONSTANTS OUTPUT [ROWS SLICES [TOKENS [ecc]]]
#
# PART       xcu50-fsvh2104-2-e, xcu55c-fsvh2892-2L-e, xcu200-fsgd2104-2-e, xcu250-figd2104-2L-e, xcu280-fsvh2892-2L-e
# ROOT       the repository
# CONSTANTS  the folder with accel_constants.svh (BUILD/accel)
# OUTPUT     bertd_engine.xo
# ROWS, SLICES of the engine; bertd_kernel.v's without
# TOKENS     that its memories hold; bertd_pkg.sv's without
# ecc        the guarded memories of UltraRAM with its own code (XPM_MEMORY), instead of parity
#
# The kernel's top must have Vivado's names for its ports: ap_clk, ap_rst_n, s_axi_control_*, m_axi_weights_*,
# m_axi_data_*. bertd_kernel.v here only renames bertd_engine's.
lassign $argv part root constants output rows slices tokens ecc
set vitis [file join $root accel/rtl/syn/vitis]
set work [file join [pwd] bertd_kernel_pack]
set sources [file join $work sources]

# A packaged IP is its files: it keeps neither a project's defines and generics nor global includes (UG1118). So the
# files are copied, and what is chosen for the card is written into the copies.
proc copy_source {from to define parameters} {
    set channel [open $from]
    set text [read $channel]
    close $channel
    if {[string match *$define* $text]} {
        set text "`define $define\n$text"
    }
    foreach {name value} $parameters {
        regsub "(param\\w* (?:int )?$name = )\\d+" $text "\\1$value" text
    }
    set channel [open [file join $to [file tail $from]] w]
    puts -nonewline $channel $text
    close $channel
}

set parameters {}
if {$slices ne ""} {
    set parameters [list ROWS $rows SLICES $slices]
}
set memories {}
if {$tokens ne ""} {
    set memories [list MAX_TOKENS $tokens]
}
file delete -force $work
file mkdir $sources
foreach file [glob [file join $root accel/rtl/*.sv]] {
    copy_source $file $sources BERTD_DSP48E2 $memories
}
if {$ecc ne ""} {
    foreach file {bertd_ram_guarded.sv bertd_ram_ecc.sv} {
        copy_source [file join $root accel/rtl $file] $sources BERTD_URAM_ECC {}
    }
}
copy_source [file join $vitis bertd_kernel.v] $sources BERTD_DSP48E2 $parameters
file copy [file join $constants accel_constants.svh] $sources

create_project -force bertd_kernel [file join $work project] -part $part
if {$ecc ne ""} {
    set_property xpm_libraries XPM_MEMORY [current_project]
}
add_files -norecurse [glob [file join $sources *]]
set_property file_type {Verilog Header} [get_files accel_constants.svh]
set_property include_dirs $sources [current_fileset]
set_property top bertd_kernel [current_fileset]
update_compile_order -fileset sources_1

ipx::package_project -root_dir [file join $work ip] -vendor bertd -library kernel -taxonomy /KernelIP -import_files \
    -set_current true
set core [ipx::current_core]
set_property sdx_kernel true $core
set_property sdx_kernel_type rtl $core
if {$ecc ne ""} {
    set_property xpm_libraries XPM_MEMORY $core
}
foreach bus {s_axi_control m_axi_weights m_axi_data} {
    ipx::associate_bus_interfaces -busif $bus -clock ap_clk $core
}
set_property ipi_drc {ignore_freq_hz true} $core
ipx::create_xgui_files $core
ipx::update_checksums $core
ipx::save_core $core

package_xo -force -xo_path $output -kernel_name bertd_kernel -ip_directory [file join $work ip] \
    -kernel_xml [file join $vitis kernel.xml]

# NEVER RUN HERE: there is no Vivado on the machine this was written on. Packs the engine as an RTL kernel (.xo).
#
#     vivado -mode batch -source package.tcl -tclargs PART ROOT CONSTANTS OUTPUT
#
# PART       xcu50-fsvh2104-2-e, xcu55c-fsvh2892-2L-e, xcu200-fsgd2104-2-e, xcu250-figd2104-2L-e, xcu280-fsvh2892-2L-e
# ROOT       the repository
# CONSTANTS  the folder with accel_constants.svh (BUILD/accel)
# OUTPUT     bertd_engine.xo
#
# The kernel's top must have Vivado's names for its ports: ap_clk, ap_rst_n, s_axi_control_*, m_axi_weights_*,
# m_axi_data_*. bertd_kernel.v here only renames bertd_engine's.
lassign $argv part root constants output
set work [file join [pwd] bertd_kernel_pack]
create_project -force bertd_kernel $work -part $part
add_files -norecurse [concat [glob $root/accel/rtl/*.sv] [file join $root accel/rtl/syn/vitis/bertd_kernel.v]]
set_property include_dirs $constants [current_fileset]
set_property top bertd_kernel [current_fileset]
update_compile_order -fileset sources_1

ipx::package_project -root $work/ip -vendor bertd -library kernel -taxonomy /KernelIP -import_files -set_current true
set core [ipx::current_core]
set_property sdx_kernel true $core
set_property sdx_kernel_type rtl $core
foreach bus {s_axi_control m_axi_weights m_axi_data} {
    ipx::associate_bus_interfaces -busif $bus -clock ap_clk $core
}
set_property ipi_drc {ignore_freq_hz true} $core
ipx::create_xgui_files $core
ipx::update_checksums $core
ipx::save_core $core

package_xo -force -xo_path $output -kernel_name bertd_kernel -ip_directory $work/ip \
    -kernel_xml [file join $root accel/rtl/syn/vitis/kernel.xml]

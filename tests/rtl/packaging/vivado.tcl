# Stands in for Vivado: runs package.tcl as it is and prints each of Vivado's commands in it, one a line, as a Tcl list.
#
#     tclsh vivado.tcl PACKAGE_TCL ARGUMENT...
set script [lindex $argv 0]
set argv [lrange $argv 1 end]
set argc [llength $argv]

namespace eval ipx {}
foreach command {
    create_project current_project add_files set_property get_files current_fileset update_compile_order package_xo
    ipx::package_project ipx::current_core ipx::associate_bus_interfaces ipx::create_xgui_files ipx::update_checksums
    ipx::save_core
} {
    proc ::$command {args} "puts \[list [list $command] {*}\$args\]; return <[lindex $command 0]>"
}

if {[catch {source $script} message]} {
    puts stderr "$message"
    exit 1
}

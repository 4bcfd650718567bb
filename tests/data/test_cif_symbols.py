"""CIFs whose element symbols stand in capitals, which ASE reads as other elements, are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from erlangen.data import read
from erlangen.errors import ArgumentError

SALT = """data_salt
_cell_length_a 5.64
_cell_length_b 5.64
_cell_length_c 5.64
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_space_group_name_H-M_alt 'P 1'
_space_group_IT_number 1
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
NA1 {sodium} 0 0 0
CL1 Cl 0.5 0.5 0.5
"""


def test_sodium_does_not_become_nitrogen(tmp_path: Path) -> None:
    path = tmp_path / "salt.cif"
    path.write_text(SALT.format(sodium="Na"))
    assert sorted(read(path, inputs_only=True).x["numbers"][0].tolist()) == [11, 17]
    path.write_text(SALT.format(sodium="NA"))
    with pytest.raises(ArgumentError, match=r"symbols of elements such as Na; got 'NA' in 'salt.cif'. Write Na"):
        read(path, inputs_only=True)

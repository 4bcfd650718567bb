"""Numbers of physics and of the detector, in SI units (CODATA 2018, IAU 2012 and 2015)."""

import math

C = 299_792_458.0
#: G times the mass of the Sun (m^3/s^2) and the time that light takes for its half gravitational radius (s).
GM_SUN = 1.327_124_400_18e20
T_SUN = GM_SUN / C**3
AU = 149_597_870_700.0
PARSEC = AU * 648_000 / math.pi
YEAR = 365.25 * 86_400
#: Sidereal year.
YEAR_SIDEREAL = 31_558_149.763_545_603
#: Length of the detector's arms and the frequency of its transfer function.
ARM = 2.5e9
F_STAR = C / (2 * math.pi * ARM)
#: Four sidereal years, the usual span of data.
FOUR_YEARS = 4 * YEAR_SIDEREAL

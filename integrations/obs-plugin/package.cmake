# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) the vtbridge authors
# Read by cpack for each package: what goes into it, and where.
if(CPACK_GENERATOR STREQUAL "DEB")
  set(CPACK_COMPONENTS_ALL system)
  set(CPACK_PACKAGING_INSTALL_PREFIX "/usr")
else()
  # Unpacked in OBS's folder of plugins, such as ~/.config/obs-studio/plugins
  set(CPACK_COMPONENTS_ALL user)
  set(CPACK_PACKAGING_INSTALL_PREFIX "/vtbridge")
  string(TOLOWER "${CPACK_SYSTEM_NAME}" system)
  set(CPACK_ARCHIVE_USER_FILE_NAME "obs-vtbridge-${CPACK_PACKAGE_VERSION}-${system}")
endif()
